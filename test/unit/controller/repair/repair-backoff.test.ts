// Tests of src/controller/repair/repair-backoff.ts.

import t from 'tap';
import { RepairBackoff } from '../../../../src/controller/repair/repair-backoff.ts';

/** Changes the objects, and repairs them after the wait. Returns the wait. */
function undo(backoff: RepairBackoff, clock: { now: number }, { objects = ['ip services'], gapMs = 50 } = {}): number {
  clock.now += gapMs;
  const waitMs = backoff.changed(clock.now, objects);
  clock.now += waitMs;
  backoff.repairing(clock.now);
  clock.now += 5;
  backoff.repaired(clock.now);
  return waitMs;
}

t.test('the waits double up to ten seconds while repairs are undone', async (t) => {
  const [backoff, clock] = [new RepairBackoff(), { now: 0 }];
  const waits = Array.from({ length: 20 }, () => undo(backoff, clock));
  t.strictSame(waits.slice(0, 11), Array(11).fill(0), 'the first repairs are immediate');
  t.strictSame(waits.slice(11), [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  t.ok(backoff.isContested(clock.now));
  t.equal(backoff.undone(clock.now), 19);
});

t.test('the contest ends when the other process stops', async (t) => {
  const [backoff, clock] = [new RepairBackoff(), { now: 0 }];
  for (let count = 0; count < 20; count++) undo(backoff, clock);
  t.notOk(backoff.isContested(clock.now + 30_000));
  t.equal(backoff.waitMs(clock.now + 30_000), 0);
  t.equal(undo(backoff, clock, { gapMs: 30_000 }), 0, 'a later change is repaired immediately');
});

t.test('a change that comes later than five seconds after a repair is repaired immediately', async (t) => {
  const [backoff, clock] = [new RepairBackoff(), { now: 0 }];
  for (let count = 0; count < 15; count++) t.equal(undo(backoff, clock, { gapMs: 6000 }), 0);
  t.ok(backoff.isContested(clock.now), 'but it is a contest, too');
});

t.test('changes of different objects do not make a contest', async (t) => {
  const [backoff, clock] = [new RepairBackoff(), { now: 0 }];
  for (let count = 0; count < 100; count++) t.equal(undo(backoff, clock, { objects: [`ip chain-${count}`] }), 0);
  t.notOk(backoff.isContested(clock.now));
});

t.test('changes before the repair count as one', async (t) => {
  const backoff = new RepairBackoff();
  for (let count = 0; count < 100; count++) t.equal(backoff.changed(count, ['ip services']), 0);
  t.notOk(backoff.isContested(100));
});
