// Tests of src/sources/api-server/connection-log.ts.

import t from 'tap';
import { systemClock } from '../../../../src/host/clock.ts';
import { ConnectionLog } from '../../../../src/sources/api-server/connection-log.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

t.test('ConnectionLog logs a failure immediately, then every few seconds, and the recovery once', async (t) => {
  let now = 0;
  const { log, lines } = recordLog();
  const connection = new ConnectionLog({ clock: { ...systemClock, now: () => now }, log });
  connection.logRecovery('back', {});
  for (now = 0; now < 12_000; now += 1_000) connection.logFailure('warn', `down at ${now}`, {});
  connection.logRecovery('back', { server: 'x' });
  connection.logRecovery('back', {});
  t.strictSame(
    lines.filter(({ level }) => level !== 'debug').map(({ level, message, details }) => [level, message, details]),
    [
      ['warn', 'down at 0', {}],
      ['warn', 'down at 5000', { since: '1970-01-01T00:00:00.000Z' }],
      ['warn', 'down at 10000', { since: '1970-01-01T00:00:00.000Z' }],
      ['info', 'back', { server: 'x', durationMs: 12_000 }],
    ],
  );
  connection.logFailure('warn', 'again', {});
  connection.logRecovery('back', {});
  t.match(
    lines.slice(-2),
    [{ level: 'debug' }, { level: 'debug' }],
    'the recovery of an unlogged failure is not logged either',
  );
});
