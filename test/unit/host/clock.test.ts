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
