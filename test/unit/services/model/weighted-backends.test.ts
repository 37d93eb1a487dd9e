// Tests of src/services/model/weighted-backends.ts.

import t from 'tap';
import { repeatByWeight, weightedBackends } from '../../../../src/services/model/weighted-backends.ts';
import { backend } from '../../../support/builders/backend.ts';

t.test('weightedBackends() keeps the order, has a default weight of 1, and excludes weight 0', async (t) => {
  const backends = [3, 1, 2].map((host) => backend(host));
  const weights = { '10.1.0.1': 5, '10.1.0.2': 0 };
  t.strictSame(
    weightedBackends({ weights }, backends).map(({ value, weight }) => [value.address, weight]),
    [
      ['10.1.0.3', 1],
      ['10.1.0.1', 5],
    ],
  );
  t.strictSame(weightedBackends({ weights }, []), []);
});

t.test('repeatByWeight() repeats values as few times as the ratios allow', async (t) => {
  const cases: readonly (readonly [weights: readonly number[], expected: string])[] = [
    [[], ''],
    [[7], 'a'],
    [[1, 1, 1], 'abc'],
    [[3, 1], 'aaab'],
    [[2, 4, 6], 'abbccc'],
    [[50, 50], 'ab'],
  ];
  for (const [weights, expected] of cases) {
    const shares = weights.map((weight, i) => ({ value: 'abc'.charAt(i), weight }));
    t.equal(repeatByWeight(shares).join(''), expected, weights.join(' '));
  }
});
