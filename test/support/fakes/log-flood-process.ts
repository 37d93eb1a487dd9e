// Logs many messages, says so on standard output, and logs one more for each line of standard input.
//   log-flood-process.ts COUNT

import { argv, stdin, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { createLog } from '../../../src/host/log.ts';

const log = await createLog({ level: 'info', format: 'json' });
for (let count = 0; count < Number(argv[2]); count++) log.info('a message', { reason: 'x'.repeat(200) });
stdout.write('logged\n');
createInterface({ input: stdin }).on('line', () => void setTimeout(() => log.info('flows again'), 500));
