// Tests of src/explain/trace/masqueraded-part.ts.

import t from 'tap';
import {
  masqueradeAddresses,
  masqueradePorts,
  readsMasqueradedPart,
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

t.test('readsMasqueradedPart() finds lookups and prefixes of the part', async (t) => {
  const lookup = (field: 'saddr' | 'daddr' | 'sport' | 'l4proto') =>
    ({ kind: 'in-set', fields: [{ field: 'l4proto' }, { field }], set: 's', negate: false }) as const;
  t.ok(readsMasqueradedPart(lookup('saddr'), 'source'));
  t.ok(readsMasqueradedPart(lookup('sport'), 'source'));
  t.notOk(readsMasqueradedPart(lookup('daddr'), 'source'));
  t.ok(readsMasqueradedPart(lookup('daddr'), 'destination'));
  t.notOk(readsMasqueradedPart(lookup('l4proto'), 'destination'));
  t.notOk(readsMasqueradedPart(lookup('saddr'), 'none'));
  const prefix = { kind: 'in-prefix', field: 'saddr', prefix: '10.0.0.0/8', negate: false } as const;
  t.ok(readsMasqueradedPart(prefix, 'source'));
  t.notOk(readsMasqueradedPart(prefix, 'destination'));
  t.notOk(readsMasqueradedPart({ kind: 'is-local', field: 'saddr' }, 'source'), 'all of them are local');
});
