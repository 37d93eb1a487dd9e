// Tests of src/lib/steps.ts.

import fc from 'fast-check';
import t from 'tap';
import { inSteps, runSteps, STEP_SIZE, type Steps, sortSteps } from '../../../src/lib/steps.ts';

function countYields<T>(steps: Steps<T>): { yields: number; result: T } {
  for (let yields = 0; ; yields++) {
    const { done, value } = steps.next();
    if (done === true) return { yields, result: value };
  }
}

t.test('runSteps() returns the result of all steps', async (t) => {
  function* steps(): Steps<string> {
    yield;
    yield;
    return 'done';
  }
  t.equal(runSteps(steps()), 'done');
});

t.test('inSteps() handles every item, and yields after each step', async (t) => {
  const items = Array.from({ length: 3 * STEP_SIZE }, (_, index) => index);
  const handled: number[] = [];
  t.equal([...inSteps(items, (item) => handled.push(item))].length, 3);
  t.strictSame(handled, items);
  t.equal([...inSteps(items.slice(0, STEP_SIZE), (item) => handled.push(item))].length, 0, 'one step');
  t.strictSame(handled, [...items, ...items.slice(0, STEP_SIZE)]);
});

t.test('sortSteps() sorts as Array.prototype.sort, stably, in steps', async (t) => {
  const property = fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat())), fc.nat(200), (items, repeats) => {
    const many = Array.from({ length: repeats }, () => items).flat();
    const compare = (a: readonly [number, number], b: readonly [number, number]) => a[0] - b[0];
    const sorted = runSteps(sortSteps(many, compare));
    return JSON.stringify(sorted) === JSON.stringify([...many].sort(compare));
  });
  fc.assert(property, { numRuns: 60, seed: 1 });
  const reversed = Array.from({ length: 20_000 }, (_, index) => -index);
  const { yields, result } = countYields(sortSteps(reversed, (a, b) => a - b));
  t.ok(yields > 20, `${yields} yields`);
  t.equal(result[0], -19_999);
});
