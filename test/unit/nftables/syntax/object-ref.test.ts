// Tests of src/nftables/syntax/object-ref.ts.

import t from 'tap';
import { refKey } from '../../../../src/nftables/syntax/object-ref.ts';

t.test('refKey() identifies an object across families', async (t) => {
  t.equal(refKey({ family: 'ip', name: 'services' }), 'ip services');
  t.equal(refKey({ family: 'ip6', name: 'affinity/shop/web/tcp/http' }), 'ip6 affinity/shop/web/tcp/http');
});
