// Tests of src/host/network/ipv6-support.ts.

import { networkInterfaces } from 'node:os';
import t from 'tap';
import { ipv6UnavailableReason } from '../../../../src/host/network/ipv6-support.ts';

const DISABLED = '/proc/sys/net/ipv6/conf/all/disable_ipv6';
const INTERFACES = '/proc/net/if_inet6';

t.test('ipv6UnavailableReason() reads the files of the kernel', async (t) => {
  const cases: [files: Record<string, string>, reason: RegExp | undefined][] = [
    [{ [DISABLED]: '0\n', [INTERFACES]: '' }, undefined],
    [{ [INTERFACES]: '00000000000000000000000000000001 01 80 10 80 lo\n' }, undefined],
    [{ [DISABLED]: '1\n', [INTERFACES]: '' }, /disable_ipv6 is 1/],
    [{}, /the kernel has no/],
  ];
  for (const [files, reason] of cases) {
    const found = await ipv6UnavailableReason(async (path) => files[path] ?? '');
    if (reason === undefined) t.equal(found, undefined, JSON.stringify(files));
    else t.match(found, reason);
  }
});

t.test('ipv6UnavailableReason() agrees with the interfaces of this host', async (t) => {
  const hasIpv6 = Object.values(networkInterfaces()).some((entries) =>
    entries?.some(({ family }) => family === 'IPv6'),
  );
  if (hasIpv6) t.equal(await ipv6UnavailableReason(), undefined);
});
