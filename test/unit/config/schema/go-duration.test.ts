// Tests of src/config/schema/go-duration.ts.

import t from 'tap';
import { parseDuration } from '../../../../src/config/schema/go-duration.ts';

t.test('parseDuration() accepts Go durations only', async (t) => {
  const cases: [string, number | undefined][] = [
    ['30s', 30_000],
    ['1h0m0s', 3_600_000],
    ['24h', 86_400_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['250ms', 250],
    ['-2s', -2000],
    ['0', 0],
    ['0s', 0],
    ['1h30m', 5_400_000],
    ['', undefined],
    ['30', undefined],
    ['30 s', undefined],
    ['1d', undefined],
    ['s', undefined],
    ['1h-2m', undefined],
  ];
  for (const [text, ms] of cases) t.equal(parseDuration(text), ms, `"${text}"`);
});
