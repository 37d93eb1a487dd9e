// Tests of src/lib/duration.ts.

import t from 'tap';
import { printDuration } from '../../../src/lib/duration.ts';

t.test('printDuration() prints at most two units', async (t) => {
  const cases: [ms: number, text: string][] = [
    [-5, '0s'],
    [0, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_599_999, '59m'],
    [3_600_000, '1h'],
    [7_999_999, '2h13m'],
    [86_400_000, '1d'],
    [446_400_000, '5d4h'],
  ];
  for (const [ms, text] of cases) t.equal(printDuration(ms), text);
});
