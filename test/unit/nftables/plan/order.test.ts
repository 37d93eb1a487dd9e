// Tests of src/nftables/plan/order.ts.

import t from 'tap';
import { runSteps } from '../../../../src/lib/steps.ts';
import type { Change } from '../../../../src/nftables/plan/ledger.ts';
import {
  additions,
  type ChangeRole,
  countOperations,
  deletions,
  orderChanges,
} from '../../../../src/nftables/plan/order.ts';
import type { SetOrMap } from '../../../../src/nftables/syntax/element.ts';

function change(
  role: ChangeRole,
  { installed, desired, interval = false }: { installed?: string; desired?: string; interval?: boolean },
): Change {
  const object: SetOrMap = { family: 'ip', name: role, kind: interval ? 'set' : 'map', body: '', interval };
  const key = 'k';
  return {
    object,
    key,
    installed: installed === undefined ? undefined : { data: installed, comment: '' },
    desired: desired === undefined ? undefined : { object, key, data: desired, comment: 'a/x', owner: 'a/x' },
  };
}

function roleOf({ object }: Change): ChangeRole {
  return object.name as ChangeRole;
}

function ordered(changes: readonly Change[]): Change[][] {
  return runSteps(orderChanges(changes, roleOf));
}

t.test('orderChanges() adds from slots to rejects, and deletes from rejects to slots', async (t) => {
  const roles: ChangeRole[] = ['rejects', 'verdicts', 'inner-verdicts', 'slots'];
  const changes = roles.flatMap((role) => [
    change(role, { installed: 'a' }),
    change(role, { desired: 'b' }),
    change(role, { installed: 'a', desired: 'b' }),
  ]);
  const steps = ordered(changes).map((step) =>
    step.map(({ object, installed, desired }) => `${object.name} ${installed?.data ?? '-'} ${desired?.data ?? '-'}`),
  );
  t.strictSame(steps, [
    ['slots - b', 'slots a b'],
    ['inner-verdicts - b', 'inner-verdicts a b'],
    ['verdicts - b', 'verdicts a b'],
    ['rejects - b', 'rejects a b'],
    ['rejects a -'],
    ['verdicts a -'],
    ['inner-verdicts a -'],
    ['slots a -'],
  ]);
});

t.test('orderChanges() omits empty steps', async (t) => {
  t.strictSame(ordered([]), []);
  t.equal(ordered([change('verdicts', { installed: 'a' })]).length, 1);
});

t.test('orderChanges() deletes prefixes before it adds others', async (t) => {
  const at = (desired: { installed?: string; desired?: string }) => change('slots', { ...desired, interval: true });
  const [addition, deletion, other] = [at({ desired: '' }), at({ installed: '' }), change('slots', { installed: 'a' })];
  t.strictSame(ordered([addition, other, deletion]), [[deletion, addition], [other]], 'in the same step');
  t.strictSame(ordered([deletion]), [[deletion]]);
});

t.test('deletions() and additions() return the two halves of a change', async (t) => {
  const cases: [Change, string[]][] = [
    [change('slots', { desired: 'b' }), ['add element ip nftlane slots { k comment "a/x" : b }']],
    [change('slots', { installed: 'a' }), ['delete element ip nftlane slots { k }']],
    [
      change('slots', { installed: 'a', desired: 'b' }),
      ['delete element ip nftlane slots { k }', 'add element ip nftlane slots { k comment "a/x" : b }'],
    ],
  ];
  for (const [given, lines] of cases) {
    const operations = [...deletions(given), ...additions(given)];
    t.strictSame(
      operations.map(({ line }) => line),
      lines,
    );
    t.equal(countOperations(given), lines.length);
    for (const { owner } of operations) t.equal(owner, given.desired?.owner ?? '');
  }
});
