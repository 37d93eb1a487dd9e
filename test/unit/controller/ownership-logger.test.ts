// Tests of src/controller/ownership-logger.ts.

import t from 'tap';
import { OwnershipLogger } from '../../../src/controller/ownership-logger.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

t.test('OwnershipLogger logs changes only', async (t) => {
  const { log, lines } = recordLog();
  const nftClient: { openReason: string | undefined } = { openReason: 'a' };
  const logger = new OwnershipLogger({ nftClient, log });
  for (const reason of ['a', 'a', undefined, undefined, 'b']) {
    nftClient.openReason = reason;
    logger.committed();
  }
  t.strictSame(
    lines.map(({ level, message, details }) => [level, message, details]),
    [
      ['info', 'other programs can change our tables', { reason: 'a' }],
      ['info', 'other programs cannot change our tables', {}],
      ['info', 'other programs can change our tables', { reason: 'b' }],
    ],
  );
});
