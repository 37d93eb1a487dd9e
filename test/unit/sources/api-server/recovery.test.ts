// Tests of src/sources/api-server/recovery.ts.
import t from 'tap';
import { ApiError, ConnectionError } from '../../../../src/sources/api-server/client/api-error.ts';
import { Recovery } from '../../../../src/sources/api-server/recovery.ts';

const LOST = new ConnectionError('lost');
const GONE = new ApiError(410, 'too old');

t.test('Recovery follows a watch that worked at once, and backs off from one that did not', async (t) => {
  const recovery = new Recovery(() => 0.5);
  recovery.begin();
  t.strictSame(recovery.assess(LOST, '1'), { delayMs: 100, isGone: false, isProblem: true });
  t.equal(recovery.assess(LOST, '1').delayMs, 150);
  recovery.worked();
  t.equal(recovery.assess(LOST, '1').delayMs, 0);
  recovery.begin();
  t.equal(recovery.assess(LOST, '1').delayMs, 100);
});

t.test('Recovery lists at once when a version is gone, but not over and over', async (t) => {
  const recovery = new Recovery(() => 0.5);
  for (let round = 0; round < 5; round++) recovery.assess(LOST, '1');
  t.strictSame(recovery.assess(GONE, '1'), { delayMs: 0, isGone: true, isProblem: false }, 'even after a long outage');
  t.match(recovery.assess(GONE, '2'), { isGone: true, isProblem: true });
  recovery.worked();
  t.strictSame(recovery.assess(GONE, '3'), { delayMs: 0, isGone: true, isProblem: false });
});

t.test('Recovery takes a list that is refused for what it is', async (t) => {
  const refused = new ApiError(400, 'bad');
  t.equal(new Recovery(() => 0.5).assess(refused, '').isGone, false);
  t.equal(new Recovery(() => 0.5).assess(refused, '1').isGone, true);
});

t.test('Recovery waits for as long as the server says, and never not at all', async (t) => {
  const cases = [
    { retryAfterMs: 2_000, delayMs: 2_100 },
    { retryAfterMs: 0, delayMs: 100 },
    { retryAfterMs: undefined, delayMs: 100 },
  ];
  for (const { retryAfterMs, delayMs } of cases) {
    const recovery = new Recovery(() => 0.5);
    recovery.worked();
    t.equal(recovery.assess(new ApiError(429, 'busy', retryAfterMs), '1').delayMs, delayMs);
  }
});
