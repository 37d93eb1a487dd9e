// Tests of src/nftables/plan/slots.ts.

import fc from 'fast-check';
import t from 'tap';
import { runSteps } from '../../../../src/lib/steps.ts';
import { assignSlots as assignSteps } from '../../../../src/nftables/plan/slots.ts';

function assignSlots(previous: readonly string[], desired: readonly string[]): readonly string[] {
  return runSteps(assignSteps(previous, desired));
}

const CASES: readonly [about: string, previous: string, desired: string, expected: string][] = [
  ['no slots before', '', 'bac', 'bac'],
  ['no slots after', 'abc', '', ''],
  ['unchanged', 'bca', 'abc', 'bca'],
  ['a new value is last', 'bca', 'abcd', 'bcad'],
  ['without the last value', 'abc', 'ab', 'ab'],
  ['the last value fills a gap', 'abcd', 'bcd', 'dbc'],
  ['a new value fills a gap', 'abc', 'acd', 'adc'],
  ['values of higher slots come before new ones', 'abcd', 'dex', 'dex'],
  ['all values change', 'abc', 'xy', 'xy'],
  ['the same value several times', 'aab', 'aaa', 'aaa'],
  ['fewer of the same value', 'aaa', 'ab', 'ab'],
];

t.test('assignSlots() changes as few slots as possible', async (t) => {
  for (const [about, previous, desired, expected] of CASES) {
    t.equal(assignSlots([...previous], [...desired]).join(''), expected, about);
  }
});

t.test('assignSlots() fills all slots with the desired values, and changes no slot that could stay', async (t) => {
  const values = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 8 });
  const property = fc.property(values, values, (previous, desired) => {
    const slots = assignSlots(previous, desired);
    t.strictSame(slots.toSorted(), desired.toSorted());
    // A slot below the new count can stay if its value still occurs often enough.
    const count = (list: readonly string[], value: string) => list.filter((entry) => entry === value).length;
    const kept = slots.filter((value, slot) => value === previous[slot]).length;
    const within = previous.slice(0, desired.length);
    const possible = [...new Set(desired)].reduce(
      (sum, value) => sum + Math.min(count(within, value), count(desired, value)),
      0,
    );
    t.equal(kept, possible);
    t.strictSame(assignSlots(slots, desired), slots, 'stable');
  });
  fc.assert(property, { numRuns: 300, seed: 1 });
});
