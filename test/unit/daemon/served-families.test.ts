// Tests of src/daemon/served-families.ts.
import t from 'tap';
import { servedFamilies } from '../../../src/daemon/served-families.ts';
import type { Family } from '../../../src/net/family.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { DEFAULT_OPTIONS, type ProxyOptions } from '../../../src/nftables/compile/node-view.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

interface Given {
  readonly refused?: readonly [Family, string][];
  readonly ipv6?: string;
  readonly options?: Partial<ProxyOptions>;
}

async function serve({ refused = [], ipv6, options = {} }: Given) {
  const { log, lines } = recordLog();
  const removed: Family[] = [];
  const kernel = {
    unsupportedFamilies: async () => [...refused],
    removeTables: async (families: readonly Family[]) => {
      removed.push(...families);
      return [];
    },
  };
  const proxy = { ...DEFAULT_OPTIONS, nodeName: 'n1', ...options };
  const families = await servedFamilies({ nftClient: kernel, proxy, log, checkIpv6: async () => ipv6 });
  return { families, removed, lines };
}

const cidrs = (...texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);

t.test('both families are served where both are there', async (t) => {
  t.strictSame(await serve({}), { families: ['ip', 'ip6'], removed: [], lines: [] });
});

t.test('one that is missing is told, and what was left of it removed', async (t) => {
  const cases: [given: Given, families: Family[], message: RegExp][] = [
    [{ ipv6: 'it is off' }, ['ip'], /IPv6 is not served/],
    [{ refused: [['ip6', 'Operation not supported']] }, ['ip'], /IPv6 is not served/],
    [{ refused: [['ip', 'Operation not supported']] }, ['ip6'], /IPv4 is not served/],
  ];
  for (const [given, expected, message] of cases) {
    const { families, removed, lines } = await serve(given);
    t.strictSame(families, expected);
    t.strictSame([...families, ...removed].sort(), ['ip', 'ip6']);
    t.match(lines, [{ level: 'warn', message, details: { reason: given.ipv6 ?? 'Operation not supported' } }]);
  }
});

t.test('a configuration for the other family is refused', async (t) => {
  const only = 'this machine has IPv4 only';
  const cases: [options: Partial<ProxyOptions>, message: string][] = [
    [
      { bindAddress: '2001:db8::1' },
      `KubeProxyConfiguration.bindAddress: 2001:db8::1 cannot be an address of this node: ${only}`,
    ],
    [
      { detectLocal: { mode: 'ClusterCIDR', cidrs: cidrs('fd00:1::/64') } },
      `KubeProxyConfiguration.clusterCIDR: fd00:1::/64 cannot be where pods are: ${only}`,
    ],
  ];
  for (const [options, message] of cases) {
    await t.rejects(serve({ ipv6: 'it is off', options }), { name: 'EnvironmentError', kind: 'environment', message });
  }
  await t.rejects(serve({ ipv6: 'it is off', refused: [['ip', 'no']] }), { message: /neither IPv4 nor IPv6/ });
  const both = cidrs('fd00:1::/64', '10.1.0.0/16');
  await t.resolves(serve({ ipv6: 'it is off', options: { detectLocal: { mode: 'ClusterCIDR', cidrs: both } } }));
});
