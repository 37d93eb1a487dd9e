// Tests of src/sources/api-server/client/watchdog.ts, with a clock that advances by its sleeps.

import t from 'tap';
import { Watchdog } from '../../../../../src/sources/api-server/client/watchdog.ts';

function watchdogAt({ onSleep = (_ms: number): void => {} } = {}) {
  const clock = {
    time: 0,
    now: () => clock.time,
    wallTime: (at: number) => at,
    sleep: async (ms: number) => {
      clock.time += ms;
      onSleep(ms);
    },
    random: () => 0,
  };
  return { clock, watchdog: new Watchdog(clock) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

t.test('Watchdog calls back once after its limit', async (t) => {
  const { clock, watchdog } = watchdogAt();
  const calls: number[] = [];
  watchdog.start(100, () => calls.push(clock.time));
  await settled();
  t.strictSame(calls, [100]);
});

t.test('Watchdog.reset() extends the wait', async (t) => {
  let sleeps = 0;
  const { clock, watchdog } = watchdogAt({
    onSleep: () => {
      // Activity in the middle of the first wait.
      if (++sleeps === 1) {
        clock.time -= 50;
        watchdog.reset();
      }
    },
  });
  const calls: number[] = [];
  watchdog.start(100, () => calls.push(clock.time));
  await settled();
  t.strictSame(calls, [150]);
});

t.test('Watchdog does not call back after stop(), or for an earlier limit', async (t) => {
  const { watchdog } = watchdogAt();
  const calls: string[] = [];
  watchdog.start(100, () => calls.push('first'));
  watchdog.start(200, () => calls.push('second'));
  await settled();
  watchdog.start(100, () => calls.push('third'));
  watchdog.stop();
  await settled();
  t.strictSame(calls, ['second']);
});

t.test('Watchdog never sleeps longer than its limit when the clock is set back', async (t) => {
  const waits: number[] = [];
  const { clock, watchdog } = watchdogAt({
    onSleep: (ms) => {
      waits.push(ms);
      if (waits.length === 1) clock.time -= 10_000;
      if (waits.length === 3) watchdog.stop();
    },
  });
  watchdog.start(100, () => {});
  await settled();
  t.strictSame(waits, [100, 100, 100]);
});
