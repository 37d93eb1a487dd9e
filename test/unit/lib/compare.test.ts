// Tests of src/lib/compare.ts.

import t from 'tap';
import { compare, sorted } from '../../../src/lib/compare.ts';

t.test('compare() orders by code unit, not by locale', async (t) => {
  t.strictSame(
    ['b', 'ä', 'a', 'B', '10', '9', ''].sort(compare),
    ['', '10', '9', 'B', 'a', 'b', 'ä'],
    'capitals before small letters, digits as text, umlauts last',
  );
  t.equal(compare('a', 'a'), 0);
});

t.test('sorted() returns a copy', async (t) => {
  const values = ['b', 'a'];
  t.strictSame(sorted(values), ['a', 'b']);
  t.strictSame(values, ['b', 'a']);
  t.strictSame(sorted(new Set<string>()), []);
});
