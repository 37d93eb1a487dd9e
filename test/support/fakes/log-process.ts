// Writes lines to the log, at a level and in a format: log-process.ts LEVEL FORMAT

import { createLog } from '../../../src/host/log.ts';
import { LOG_LEVELS, type LogFormat } from '../../../src/host/log-level.ts';

const [level = '', format = ''] = process.argv.slice(2);
const log = await createLog({
  level: LOG_LEVELS.find((known) => known === level) ?? 'info',
  format: format as LogFormat,
});
log.debug('first');
log.info('second', { count: 2 });
log.setLevel('error');
log.warn('third');
log.error('fourth', { reason: 'last' });
