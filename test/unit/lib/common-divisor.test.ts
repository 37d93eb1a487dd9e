// Tests of src/lib/common-divisor.ts.

import t from 'tap';
import { commonDivisor } from '../../../src/lib/common-divisor.ts';

t.test('commonDivisor() is the greatest number that divides both', async (t) => {
  for (const [a, b, divisor] of [
    [12, 18, 6],
    [18, 12, 6],
    [7, 5, 1],
    [0, 9, 9],
    [9, 0, 9],
    [0, 0, 0],
  ] as const)
    t.equal(commonDivisor(a, b), divisor, `${a} and ${b}`);
});
