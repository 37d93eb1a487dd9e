// Tests of src/nftables/plan/maglev.ts.

import fc from 'fast-check';
import t from 'tap';
import { runSteps } from '../../../../src/lib/steps.ts';
import { maglevSize, maglevTable as maglevSteps, type WeightedBackend } from '../../../../src/nftables/plan/maglev.ts';

function maglevTable(given: readonly WeightedBackend[]): string[] {
  return runSteps(maglevSteps(given));
}

function backends(count: number, weightOf: (index: number) => number = () => 1): WeightedBackend[] {
  return Array.from({ length: count }, (_, index) => ({ name: `10.1.0.${index} . 8080`, weight: weightOf(index) }));
}

function countsOf(table: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of table) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** The number of slots that another backend has now, without those of `gone`. */
function moved(before: readonly string[], after: readonly string[], gone?: string): number {
  return before.filter((name, slot) => name !== gone && name !== after[slot]).length;
}

t.test('maglevSize() is a prime that fits all backends, and fits into a slot number', async (t) => {
  const cases = [
    [1, 4093],
    [20, 4093],
    [21, 32749],
    [163, 32749],
    [164, 65521],
    [5000, 65521],
  ] as const;
  for (const [count, size] of cases) {
    t.equal(maglevSize(count), size, `${count}`);
    for (let divisor = 2; divisor * divisor <= size; divisor++) t.not(size % divisor, 0);
  }
});

t.test('maglevTable() depends on the set of backends alone', async (t) => {
  const given = backends(7, (index) => 1 + (index % 3));
  const table = maglevTable(given);
  const property = fc.property(fc.shuffledSubarray(given, { minLength: 7 }), (order) => {
    return maglevTable(order).join() === table.join();
  });
  fc.assert(property, { numRuns: 20, seed: 1 });
  t.strictSame(maglevTable([]), []);
  t.ok(maglevTable(backends(1)).every((name) => name === '10.1.0.0 . 8080'));
});

t.test('maglevTable() distributes slots evenly', async (t) => {
  for (const count of [2, 3, 7, 20, 100, 163]) {
    const counts = [...countsOf(maglevTable(backends(count))).values()];
    t.equal(counts.length, count);
    t.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${count}: ${Math.min(...counts)} to ${Math.max(...counts)}`);
  }
});

t.test('maglevTable() distributes slots in proportion to weights', async (t) => {
  const given = backends(5, (index) => [1, 2, 3, 50, 100][index] ?? 1);
  const table = maglevTable(given);
  const counts = countsOf(table);
  for (const { name, weight } of given) {
    const share = (table.length * weight) / 156;
    t.ok(Math.abs((counts.get(name) ?? 0) - share) <= 2, `${name}: ${counts.get(name)} of ${share}`);
  }
});

t.test('maglevTable() moves few slots when a backend is removed or added', async (t) => {
  for (const count of [3, 10, 100]) {
    const given = backends(count);
    const table = maglevTable(given);
    for (const gone of [0, Math.floor(count / 2), count - 1]) {
      const after = maglevTable(given.filter((_, index) => index !== gone));
      const share = moved(table, after, given[gone]?.name) / table.length;
      t.ok(share <= 0.02, `1 of ${count}: ${(share * 100).toFixed(2)} % of the other slots move`);
    }
  }
});

t.test('maglevTable() moves few slots when a weight changes', async (t) => {
  const before = maglevTable(backends(10));
  const after = maglevTable(backends(10, (index) => (index === 3 ? 2 : 1)));
  const share = moved(before, after) / before.length;
  // At least one in eleven must move.
  t.ok(share <= 0.15, `${(share * 100).toFixed(1)} %`);
});
