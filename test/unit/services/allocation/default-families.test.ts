// Tests of src/services/allocation/default-families.ts.

import t from 'tap';
import type { Prefix } from '../../../../src/net/prefix.ts';
import { primaryFamily } from '../../../../src/services/allocation/default-families.ts';

t.test('primaryFamily() is that of the first range', async (t) => {
  const ranges: Prefix[] = [
    { family: 'ip6', text: 'fd00:96::/112', length: 112 },
    { family: 'ip', text: '10.96.0.0/16', length: 16 },
  ];
  t.equal(primaryFamily({ ranges, hostAddresses: ['192.0.2.1'], bindAddress: '192.0.2.1' }), 'ip6');
});

t.test('primaryFamily() is IPv4, except on a host without IPv4 addresses, or with a bind address', async (t) => {
  const cases = [
    [{ hostAddresses: [] }, 'ip'],
    [{ hostAddresses: ['127.0.0.1', '::1', 'fe80::1'] }, 'ip'],
    [{ hostAddresses: ['127.0.0.1', '192.0.2.1', '2001:db8::1'] }, 'ip'],
    [{ hostAddresses: ['127.0.0.1', '2001:db8::1'] }, 'ip6'],
    [{ hostAddresses: ['192.0.2.1'], bindAddress: '2001:db8::1' }, 'ip6'],
    [{ hostAddresses: ['2001:db8::1'], bindAddress: '192.0.2.1' }, 'ip'],
  ] as const;
  for (const [node, expected] of cases) t.equal(primaryFamily({ ranges: [], ...node }), expected, JSON.stringify(node));
});
