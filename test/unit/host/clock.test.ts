// Tests of src/host/clock.ts.

import t from 'tap';
import { systemClock } from '../../../src/host/clock.ts';

t.test('systemClock.now() is the time since 1970, in milliseconds', async (t) => {
  t.ok(Math.abs(systemClock.now() - Date.now()) < 60_000);
});

t.test('systemClock.sleep() ends after its time or when the signal aborts', async (t) => {
  const startedAt = systemClock.now();
  await systemClock.sleep(20);
  t.ok(systemClock.now() - startedAt >= 19);
  await systemClock.sleep(600_000, AbortSignal.abort());
  await systemClock.sleep(600_000, AbortSignal.timeout(5));
  t.ok(systemClock.now() - startedAt < 60_000);
});

t.test('systemClock.random() is from 0 up to 1', async (t) => {
  const random = systemClock.random();
  t.ok(random >= 0 && random < 1);
});

t.test('systemClock.wallTime() follows a wall clock that is set, and now() does not', async (t) => {
  const real = Date.now;
  t.teardown(() => {
    Date.now = real;
  });
  const at = systemClock.now();
  t.ok(Math.abs(systemClock.wallTime(at) - at) < 60_000);
  for (const hours of [2, -3, 24 * 400, -24 * 9000, 0]) {
    const shiftMs = hours * 3_600_000;
    Date.now = () => real() + shiftMs;
    t.ok(Math.abs(systemClock.wallTime(at) - (at + shiftMs)) < 60_000, `${hours} h`);
    const [first, second] = [systemClock.wallTime(at), systemClock.wallTime(at)];
    t.ok(Math.abs(first - second) < 60_000);
    t.ok(Math.abs(systemClock.now() - at) < 60_000, 'ages do not change');
  }
});
