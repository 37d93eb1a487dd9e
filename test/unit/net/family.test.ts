// Tests of src/net/family.ts.

import t from 'tap';
import { FAMILIES, FAMILY_TRAITS } from '../../../src/net/family.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';

t.test('FAMILY_TRAITS has a loopback block of each family', async (t) => {
  t.strictSame(Object.keys(FAMILY_TRAITS).toSorted(), FAMILIES.toSorted());
  for (const family of FAMILIES) {
    const { loopback, bits } = FAMILY_TRAITS[family];
    const block = loopback.includes('/') ? loopback : `${loopback}/${bits}`;
    t.equal(parsePrefix(block)?.family, family);
  }
});
