// Tests of src/explain/trace/masqueraded-part.ts.

import t from 'tap';
import {
  dependsOnMasquerade,
  masqueradeAddresses,
  masqueradePorts,
} from '../../../../src/explain/trace/masqueraded-part.ts';

t.test('masqueradeAddresses() has the addresses that packets to others can leave with', async (t) => {
  const addresses = ['127.0.0.1', '192.0.2.1', '10.0.0.1', '169.254.1.1', '::1', 'fe80::1', 'fd00::1'];
  t.strictSame(masqueradeAddresses({ addresses, routes: [] }, 'ip'), ['192.0.2.1', '10.0.0.1']);
  t.strictSame(masqueradeAddresses({ addresses, routes: [] }, 'ip6'), ['fd00::1']);
});

t.test('masqueradePorts() keeps the class of the port', async (t) => {
  t.strictSame([40_000, 1024, 1023, 512, 511, 1].map(masqueradePorts), [
    [1024, 65_535],
    [1024, 65_535],
    [600, 1023],
    [600, 1023],
    [1, 511],
    [1, 511],
  ]);
});

t.test('dependsOnMasquerade() finds lookups of the part, and prefixes that have some of its addresses', async (t) => {
  const ADDRESSES = ['192.0.2.1', '10.0.0.1'];
  const lookup = (field: 'saddr' | 'daddr' | 'sport' | 'l4proto') =>
    ({ kind: 'in-set', fields: [{ field: 'l4proto' }, { field }], set: 's', negate: false }) as const;
  t.ok(dependsOnMasquerade(lookup('saddr'), 'source', ADDRESSES));
  t.ok(dependsOnMasquerade(lookup('sport'), 'source', ADDRESSES));
  t.notOk(dependsOnMasquerade(lookup('daddr'), 'source', ADDRESSES));
  t.ok(dependsOnMasquerade(lookup('daddr'), 'destination', ADDRESSES));
  t.notOk(dependsOnMasquerade(lookup('l4proto'), 'destination', ADDRESSES));
  t.notOk(dependsOnMasquerade(lookup('saddr'), 'none', ADDRESSES));
  const within = { kind: 'in-prefix', field: 'saddr', prefix: '10.0.0.0/8', negate: false } as const;
  t.ok(dependsOnMasquerade(within, 'source', ADDRESSES));
  t.notOk(dependsOnMasquerade(within, 'destination', ADDRESSES));
  for (const prefix of ['127.0.0.0/8', '0.0.0.0/0'])
    t.notOk(dependsOnMasquerade({ ...within, prefix }, 'source', ADDRESSES), `all or none are in ${prefix}`);
  t.notOk(dependsOnMasquerade({ kind: 'is-local', field: 'saddr' }, 'source', ADDRESSES), 'all of them are local');
});
