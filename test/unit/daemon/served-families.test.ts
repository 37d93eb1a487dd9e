// Tests of src/daemon/served-families.ts.

import t from 'tap';
import { servedFamilies } from '../../../src/daemon/served-families.ts';
import type { Family } from '../../../src/net/family.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { NftListingFailed } from '../../../src/nftables/client/nft-error.ts';
import type { ProxyOptions } from '../../../src/nftables/compile/node-view.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

interface Given {
  readonly refused?: readonly [Family, string][];
  readonly ipv6?: string;
  readonly options?: Partial<ProxyOptions>;
  readonly removalError?: Error;
}

async function serve({ refused = [], ipv6, options = {}, removalError }: Given) {
  const { log, lines } = recordLog();
  const removed: Family[] = [];
  const kernel = {
    unsupportedFamilies: async () => [...refused],
    removeTables: async (families: readonly Family[]) => {
      if (removalError !== undefined) throw removalError;
      removed.push(...families);
      return [];
    },
  };
  const proxy = { ...DEFAULT_OPTIONS, nodeName: 'n1', ...options };
  const families = await servedFamilies({ nftClient: kernel, proxy, log, checkIpv6: async () => ipv6 });
  return { families, removed, lines };
}

const cidrs = (...texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);

t.test('servedFamilies() serves both families if both are available', async (t) => {
  t.strictSame(await serve({}), { families: ['ip', 'ip6'], removed: [], lines: [] });
});

t.test('servedFamilies() logs a missing family and removes its tables', async (t) => {
  const cases: [given: Given, families: Family[], family: string][] = [
    [{ ipv6: 'it is off' }, ['ip'], 'IPv6'],
    [{ refused: [['ip6', 'Operation not supported']] }, ['ip'], 'IPv6'],
    [{ refused: [['ip', 'Operation not supported']] }, ['ip6'], 'IPv4'],
  ];
  for (const [given, expected, family] of cases) {
    const { families, removed, lines } = await serve(given);
    t.strictSame(families, expected);
    t.strictSame([...families, ...removed].sort(), ['ip', 'ip6']);
    const reason = given.ipv6 ?? 'Operation not supported';
    const message = 'address family is not available';
    t.match(lines, [{ level: 'warn', message, details: { family, reason } }]);
  }
});

t.test('servedFamilies() leaves it to the check of nft to report that tables cannot be listed', async (t) => {
  const { families } = await serve({
    ipv6: 'it is off',
    removalError: new NftListingFailed('Operation not permitted'),
  });
  t.strictSame(families, ['ip']);
  await t.rejects(serve({ ipv6: 'it is off', removalError: new Error('refused') }), { message: 'refused' });
});

t.test('servedFamilies() rejects a configuration that requires a missing family', async (t) => {
  const only = 'this machine has only IPv4';
  const cases: [options: Partial<ProxyOptions>, message: string][] = [
    [{ bindAddress: '2001:db8::1' }, `Cannot use KubeProxyConfiguration.bindAddress "2001:db8::1": ${only}`],
    [
      { detectLocal: { mode: 'ClusterCIDR', cidrs: cidrs('fd00:1::/64') } },
      `Cannot use KubeProxyConfiguration.clusterCIDR "fd00:1::/64": ${only}`,
    ],
  ];
  for (const [options, message] of cases) {
    await t.rejects(serve({ ipv6: 'it is off', options }), { name: 'EnvironmentError', kind: 'environment', message });
  }
  await t.rejects(serve({ ipv6: 'it is off', refused: [['ip', 'no']] }), { message: /neither IPv4 nor IPv6/ });
  const both = cidrs('fd00:1::/64', '10.1.0.0/16');
  await t.resolves(serve({ ipv6: 'it is off', options: { detectLocal: { mode: 'ClusterCIDR', cidrs: both } } }));
});
