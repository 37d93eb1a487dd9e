// Tests of src/services/objects/service-cidr.ts.

import t from 'tap';
import { readServiceCidr } from '../../../../src/services/objects/service-cidr.ts';
import { serviceCidr } from '../../../support/builders/service-cidr.ts';

t.test('readServiceCidr() reads blocks and reports invalid ones', async (t) => {
  const { key, value, issues } = readServiceCidr(
    serviceCidr('kubernetes', { spec: { cidrs: ['10.96.0.5/12', '', 'fd00::/108'] } }),
  );
  t.equal(key, 'kubernetes');
  t.match(value, { key: 'kubernetes', cidrs: [{ text: '10.96.0.0/12' }, { text: 'fd00::/108' }] });
  t.match(issues, [{ object: 'ServiceCIDR kubernetes', field: 'spec.cidrs[1]', value: '""' }]);
});

t.test('readServiceCidr() accepts an object without blocks and rejects one without a name', async (t) => {
  t.strictSame(readServiceCidr(serviceCidr('x', { spec: undefined })), {
    key: 'x',
    value: { key: 'x', cidrs: [] },
    issues: [],
  });
  t.match(readServiceCidr({}), { key: '', issues: [{ field: 'metadata.name', value: '(absent)' }] });
});
