// Tests of src/controller/stage-timer.ts.

import t from 'tap';
import { StageTimer, SYNC_STAGES } from '../../../src/controller/stage-timer.ts';

t.test('StageTimer adds up the time of each stage', async (t) => {
  let now = 100;
  const watch = new StageTimer({ now: () => now });
  const lap = (stage: (typeof SYNC_STAGES)[number], ms: number) => {
    now += ms;
    watch.lap(stage);
  };
  lap('list', 5);
  lap('compile', 1);
  lap('apply', 20);
  lap('list', 7);
  t.strictSame(watch.times, { list: 12, compile: 1, plan: 0, apply: 20, affinity: 0, cleanup: 0 });
  t.strictSame(Object.keys(watch.times), [...SYNC_STAGES]);
});
