// Tests of src/controller/bounded-frequency-runner.ts.

import { setImmediate as tick } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { BoundedFrequencyRunner } from '../../../src/controller/bounded-frequency-runner.ts';

/** A runner whose sleeps end immediately and advance the clock. */
function start(t: Test, task: () => Promise<void> = async () => {}) {
  let now = 0;
  const runs: number[] = [];
  const sleeps: number[] = [];
  const failures: unknown[] = [];
  const clock = {
    now: () => now,
    wallTime: (at: number) => at,
    sleep: async (ms: number) => {
      sleeps.push(ms);
      now += ms;
    },
    random: () => 0,
  };
  const runner = new BoundedFrequencyRunner({
    task: () => {
      runs.push(now);
      return task();
    },
    onFailure: (error, retryInMs) => failures.push({ error, retryInMs }),
    clock,
  });
  const stop = new AbortController();
  const running = runner.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  const settle = async () => {
    for (let n = 0; n < 10; n++) await tick();
  };
  return { runner, runs, sleeps, failures, stop, running, settle };
}

t.test('BoundedFrequencyRunner runs once for requests that arrive together, and never without a request', async (t) => {
  const { runner, runs, settle } = start(t);
  await settle();
  t.strictSame(runs, []);
  for (let n = 0; n < 5; n++) runner.request();
  await settle();
  t.equal(runs.length, 1);
  runner.request();
  await settle();
  t.equal(runs.length, 2);
});

t.test('BoundedFrequencyRunner runs again for a request that arrives during a run, after the interval', async (t) => {
  const first = Promise.withResolvers<void>();
  const { runner, runs, sleeps, settle } = start(t, () => first.promise);
  runner.request();
  await settle();
  runner.request();
  await settle();
  t.equal(runs.length, 1, 'one run at a time');
  first.resolve();
  await settle();
  t.strictSame(runs, [0, 20]);
  t.strictSame(sleeps, [20, 20]);
});

t.test('BoundedFrequencyRunner retries a failed run after growing pauses', async (t) => {
  let failuresLeft = 3;
  const { runner, runs, failures, settle } = start(t, async () => {
    if (failuresLeft-- > 0) throw new Error('busy');
  });
  runner.request();
  await settle();
  t.match(failures, [{ retryInMs: 100 }, { retryInMs: 200 }, { retryInMs: 400 }]);
  t.match(failures[0], { error: { message: 'busy' } });
  t.equal(runs.length, 4);
  failuresLeft = 1;
  runner.request();
  await settle();
  t.match(failures[3], { retryInMs: 100 }, 'a success resets the pause');
});

t.test('BoundedFrequencyRunner waits up to 5 s after failures, and longer after failures that take long', async (t) => {
  const delays = async (durationMs: number) => {
    let now = 0;
    const stop = new AbortController();
    const found: number[] = [];
    const runner = new BoundedFrequencyRunner({
      task: async () => {
        now += durationMs;
        throw new Error('busy');
      },
      onFailure: (_, retryInMs) => {
        found.push(retryInMs);
        if (found.length === 12) stop.abort();
      },
      clock: { now: () => now, wallTime: (at) => at, sleep: async () => undefined, random: () => 0 },
    });
    runner.request();
    await runner.run(stop.signal);
    return found;
  };
  t.strictSame((await delays(10)).slice(0, 8), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  t.strictSame((await delays(2000)).slice(5), [3200, 6400, 8000, 8000, 8000, 8000, 8000]);
  t.equal((await delays(60_000)).at(-1), 30_000);
});

t.test('BoundedFrequencyRunner completes a run when the signal aborts, and starts no other', async (t) => {
  const first = Promise.withResolvers<void>();
  const { runner, runs, stop, running, settle } = start(t, () => first.promise);
  runner.request();
  await settle();
  runner.request();
  stop.abort();
  first.resolve();
  await running;
  t.equal(runs.length, 1);
});
