// Tests of src/sources/api-server/retry-policy.ts.

import t from 'tap';
import { ApiError, ConnectionError } from '../../../../src/sources/api-server/client/api-error.ts';
import { RetryPolicy } from '../../../../src/sources/api-server/retry-policy.ts';

const LOST = new ConnectionError('lost');
const GONE = new ApiError(410, 'too old');

t.test('RetryPolicy retries immediately after a successful watch and backs off after another one', async (t) => {
  const recovery = new RetryPolicy(() => 0.5);
  recovery.startAttempt();
  t.strictSame(recovery.decide(LOST, '1'), { delayMs: 100, isExpired: false, shouldReport: true });
  t.equal(recovery.decide(LOST, '1').delayMs, 150);
  recovery.succeeded();
  t.equal(recovery.decide(LOST, '1').delayMs, 0);
  recovery.startAttempt();
  t.equal(recovery.decide(LOST, '1').delayMs, 100);
});

t.test('RetryPolicy relists immediately after the first expired version only', async (t) => {
  const recovery = new RetryPolicy(() => 0.5);
  for (let round = 0; round < 5; round++) recovery.decide(LOST, '1');
  t.strictSame(
    recovery.decide(GONE, '1'),
    { delayMs: 0, isExpired: true, shouldReport: false },
    'even after a long outage',
  );
  t.match(recovery.decide(GONE, '2'), { isExpired: true, shouldReport: true });
  recovery.lasted();
  recovery.succeeded();
  t.strictSame(recovery.decide(GONE, '3'), { delayMs: 0, isExpired: true, shouldReport: false });
});

t.test('RetryPolicy treats a rejected list as a failure', async (t) => {
  const refused = new ApiError(400, 'bad');
  t.equal(new RetryPolicy(() => 0.5).decide(refused, '').isExpired, false);
  t.equal(new RetryPolicy(() => 0.5).decide(refused, '1').isExpired, true);
});

t.test('RetryPolicy waits for the time that the server requests, if it is not zero', async (t) => {
  const cases = [
    { retryAfterMs: 2_000, delayMs: 2_100 },
    { retryAfterMs: 0, delayMs: 100 },
    { retryAfterMs: undefined, delayMs: 100 },
  ];
  for (const { retryAfterMs, delayMs } of cases) {
    const recovery = new RetryPolicy(() => 0.5);
    recovery.succeeded();
    t.equal(recovery.decide(new ApiError(429, 'busy', retryAfterMs), '1').delayMs, delayMs);
  }
});
