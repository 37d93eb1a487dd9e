// Tests of src/nftables/plan/slots.ts.
import fc from 'fast-check';
import t from 'tap';
import { assignSlots } from '../../../../src/nftables/plan/slots.ts';

const CASES: readonly [about: string, previous: string, wanted: string, expected: string][] = [
  ['from nothing in the order wanted', '', 'bac', 'bac'],
  ['to nothing', 'abc', '', ''],
  ['as it was', 'bca', 'abc', 'bca'],
  ['a newcomer goes to the end', 'bca', 'abcd', 'bcad'],
  ['the last one gone', 'abc', 'ab', 'ab'],
  ['the last fills a hole', 'abcd', 'bcd', 'dbc'],
  ['a newcomer fills a hole', 'abc', 'acd', 'adc'],
  ['those at the end come before newcomers', 'abcd', 'dex', 'dex'],
  ['all others', 'abc', 'xy', 'xy'],
  ['the same value several times', 'aab', 'aaa', 'aaa'],
  ['fewer of the same value', 'aaa', 'ab', 'ab'],
];

t.test('assignSlots() changes as few slots as possible', async (t) => {
  for (const [about, previous, wanted, expected] of CASES) {
    t.equal(assignSlots([...previous], [...wanted]).join(''), expected, about);
  }
});

t.test('assignSlots() fills all slots with the desired values, and changes no slot that could stay', async (t) => {
  const values = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 8 });
  const property = fc.property(values, values, (previous, wanted) => {
    const slots = assignSlots(previous, wanted);
    t.strictSame(slots.toSorted(), wanted.toSorted());
    // A slot below the new count could stay when its value is still wanted often enough.
    const count = (list: readonly string[], value: string) => list.filter((each) => each === value).length;
    const kept = slots.filter((value, slot) => value === previous[slot]).length;
    const within = previous.slice(0, wanted.length);
    const possible = [...new Set(wanted)].reduce(
      (sum, value) => sum + Math.min(count(within, value), count(wanted, value)),
      0,
    );
    t.equal(kept, possible);
    t.strictSame(assignSlots(slots, wanted), slots, 'it is at rest');
  });
  fc.assert(property, { numRuns: 300, seed: 1 });
});
