// Tests of src/sources/guard/start-hold.ts.

import t from 'tap';
import { StartHold } from '../../../../src/sources/guard/start-hold.ts';
import { LIMITS } from './guarded-world.ts';

function startHold() {
  const journal: string[] = [];
  const current = { now: 1_000, limits: LIMITS };
  const hold = new StartHold({
    limits: () => current.limits,
    now: () => current.now,
    onHold: ({ lost, before }) => journal.push(`hold ${lost} of ${before}`),
    onEnd: (end, services) => journal.push(`${end} ${services}`),
  });
  return { hold, journal, current };
}

const MASS = { lost: 30, present: 10 };

t.test('StartHold lets the first sync take away what is not a mass loss', async (t) => {
  for (const loss of [
    { lost: 0, present: 0 },
    { lost: 19, present: 0 },
    { lost: 20, present: 20 },
  ]) {
    const { hold, journal } = startHold();
    t.ok(hold.mayLose(loss));
    t.ok(hold.mayLose(MASS), 'only at the start');
    t.strictSame(journal, []);
    t.strictSame([hold.since, hold.heldServices], [undefined, 0]);
  }
});

t.test('StartHold keeps a mass loss until the Services are back', async (t) => {
  const { hold, journal, current } = startHold();
  t.notOk(hold.mayLose(MASS));
  current.now += 1_000;
  t.notOk(hold.mayLose({ lost: 25, present: 15 }));
  t.strictSame([hold.since, hold.heldServices], [1_000, 25]);
  t.ok(hold.mayLose({ lost: 1, present: 39 }));
  t.strictSame([hold.since, hold.heldServices], [undefined, 0]);
  t.strictSame(journal, ['hold 30 of 40', 'recovered 25']);
});

t.test('StartHold applies a mass loss after the grace period, and when it is accepted or disabled', async (t) => {
  const expired = startHold();
  t.notOk(expired.hold.mayLose(MASS));
  expired.current.now += LIMITS.gracePeriodMs;
  t.ok(expired.hold.mayLose(MASS));
  t.strictSame(expired.journal, ['hold 30 of 40', 'expired 30']);

  const accepted = startHold();
  t.equal(accepted.hold.accept(), 0, 'nothing is held yet');
  t.notOk(accepted.hold.mayLose(MASS));
  t.equal(accepted.hold.accept(), 30);
  t.ok(accepted.hold.mayLose(MASS));
  t.strictSame(accepted.journal, ['hold 30 of 40', 'accepted 30']);

  const disabled = startHold();
  disabled.current.limits = { ...LIMITS, enabled: false };
  t.ok(disabled.hold.mayLose(MASS));
});
