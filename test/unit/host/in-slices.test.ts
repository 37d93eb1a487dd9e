// Tests of src/host/in-slices.ts.

import t from 'tap';
import { inSlices } from '../../../src/host/in-slices.ts';
import type { Steps } from '../../../src/lib/steps.ts';

t.test('inSlices() lets timers run during a long computation', async (t) => {
  function* busy(): Steps<string> {
    for (let step = 0; step < 50; step++) {
      const until = performance.now() + 2;
      while (performance.now() < until);
      yield;
    }
    return 'done';
  }
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  t.equal(await inSlices(busy()), 'done');
  clearInterval(timer);
  t.ok(ticks >= 4, `${ticks} ticks in 100 ms of work`);
});

t.test('inSlices() does not interrupt a short computation', async (t) => {
  function* short(): Steps<number> {
    yield;
    return 7;
  }
  let ticks = 0;
  setImmediate(() => ticks++);
  t.equal(await inSlices(short()), 7);
  t.equal(ticks, 0);
});
