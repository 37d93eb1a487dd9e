// Tests of src/host/log-once.ts.

import t from 'tap';
import { LogOnce } from '../../../src/host/log-once.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

t.test('LogOnce logs a message with the same fields once until it is reset', async (t) => {
  const { log, lines } = recordLog();
  const once = new LogOnce(log);
  t.equal(once.reset(), false, 'nothing was logged');
  t.equal(once.log('warn', 'cannot read', { reason: 'a', retryInMs: 100 }), true);
  t.equal(once.log('warn', 'cannot read', { reason: 'a', retryInMs: 200 }), false);
  t.equal(once.log('error', 'cannot read', { reason: 'b' }), true);
  t.equal(once.log('info', 'cannot write', { reason: 'b' }), true);
  t.equal(once.log('warn', 'cannot read', { reason: 'a' }), false, 'although another one came in between');
  t.strictSame(lines, [
    { level: 'warn', message: 'cannot read', details: { reason: 'a', retryInMs: 100 } },
    { level: 'error', message: 'cannot read', details: { reason: 'b' } },
    { level: 'info', message: 'cannot write', details: { reason: 'b' } },
  ]);
  t.equal(once.reset(), true);
  t.equal(once.log('warn', 'cannot read', { reason: 'a' }), true);
});

t.test('LogOnce limits the number of messages that it remembers', async (t) => {
  const { log, lines } = recordLog();
  const once = new LogOnce(log);
  for (let n = 0; n < 1001; n++) once.log('warn', 'cannot read', { reason: `process ${n}` });
  t.equal(lines.length, 1001);
  t.equal(once.log('warn', 'cannot read', { reason: 'process 1000' }), false);
  t.equal(once.log('warn', 'cannot read', { reason: 'process 0' }), true);
});
