// Tests of src/sources/api-server/retry-policy.ts.
import t from 'tap';
import { ApiError, ConnectionError } from '../../../../src/sources/api-server/client/api-error.ts';
import { RetryPolicy } from '../../../../src/sources/api-server/retry-policy.ts';

const LOST = new ConnectionError('lost');
const GONE = new ApiError(410, 'too old');

t.test('Recovery follows a watch that worked at once, and backs off from one that did not', async (t) => {
  const recovery = new RetryPolicy(() => 0.5);
  recovery.startAttempt();
  t.strictSame(recovery.decide(LOST, '1'), { delayMs: 100, isExpired: false, shouldReport: true });
  t.equal(recovery.decide(LOST, '1').delayMs, 150);
  recovery.succeeded();
  t.equal(recovery.decide(LOST, '1').delayMs, 0);
  recovery.startAttempt();
  t.equal(recovery.decide(LOST, '1').delayMs, 100);
});

t.test('Recovery lists at once when a version is gone, but not over and over', async (t) => {
  const recovery = new RetryPolicy(() => 0.5);
  for (let round = 0; round < 5; round++) recovery.decide(LOST, '1');
  t.strictSame(
    recovery.decide(GONE, '1'),
    { delayMs: 0, isExpired: true, shouldReport: false },
    'even after a long outage',
  );
  t.match(recovery.decide(GONE, '2'), { isExpired: true, shouldReport: true });
  recovery.succeeded();
  t.strictSame(recovery.decide(GONE, '3'), { delayMs: 0, isExpired: true, shouldReport: false });
});

t.test('Recovery takes a list that is refused for what it is', async (t) => {
  const refused = new ApiError(400, 'bad');
  t.equal(new RetryPolicy(() => 0.5).decide(refused, '').isExpired, false);
  t.equal(new RetryPolicy(() => 0.5).decide(refused, '1').isExpired, true);
});

t.test('Recovery waits for as long as the server says, and never not at all', async (t) => {
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
