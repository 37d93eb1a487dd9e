// Tests of src/compile/chains.ts.
import t from 'tap';
import { balanceChain, balanceChainName, staticChains } from '../../../src/compile/chains.ts';
import { DEFAULT_OPTIONS, type NodeView, type ProxyOptions, viewNode } from '../../../src/compile/node-view.ts';
import { OBJECTS } from '../../../src/compile/objects.ts';
import { readNode } from '../../../src/kube/node.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { printRule } from '../../../src/nft/statement.ts';
import { node } from '../../given/node.ts';

const prefixes = (...texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);

function view(options: Partial<ProxyOptions> = {}, serviceCidrs: readonly string[] = []): NodeView {
  return viewNode(
    { ...DEFAULT_OPTIONS, nodeName: 'n1', ...options },
    { node: readNode(node()).value, hostAddresses: [], serviceCidrs: prefixes(...serviceCidrs) },
  );
}

function rules(name: string, seen: NodeView): string[] | undefined {
  return staticChains('ip', seen)
    .find((chain) => chain.name === name)
    ?.rules.map((rule) => printRule(rule, 'ip'));
}

t.test('staticChains() names every chain once, and leads only to its own', async (t) => {
  for (const family of FAMILIES) {
    const chains = staticChains(family, view({}, ['10.96.0.0/12', 'fd00::/108']));
    const names = chains.map(({ name }) => name);
    t.equal(new Set(names).size, names.length);
    for (const statement of chains.flatMap((chain) => chain.rules.flat())) {
      if ('chain' in statement) t.ok(names.includes(statement.chain), statement.chain);
      const object = 'map' in statement ? statement.map : 'set' in statement ? statement.set : undefined;
      if (object !== undefined) t.ok(Object.hasOwn(OBJECTS[family], object), object);
    }
  }
});

t.test('staticChains() marks clients that are no pods', async (t) => {
  const cidrs = prefixes('10.1.0.0/16', '10.2.0.0/16');
  const cases: [Partial<ProxyOptions>, string[]][] = [
    [{ detectLocal: { mode: 'ClusterCIDR', cidrs } }, ['ip saddr != 10.1.0.0/16 meta mark set meta mark | 0x00004000']],
    [{ detectLocal: { mode: 'ClusterCIDR', cidrs: prefixes('fd00::/8') } }, []],
    [{ detectLocal: { mode: 'NodeCIDR' } }, []],
    [
      { detectLocal: { mode: 'BridgeInterface', name: 'cni0' }, masqueradeBit: 31 },
      ['iifname != "cni0" meta mark set meta mark | 0x80000000'],
    ],
    [
      { detectLocal: { mode: 'InterfaceNamePrefix', name: 'veth' } },
      ['iifname != "veth*" meta mark set meta mark | 0x00004000'],
    ],
    [{ masqueradeAll: true }, ['meta mark set meta mark | 0x00004000']],
  ];
  for (const [options, expected] of cases) t.strictSame(rules('mark-cluster-clients', view(options)), expected);
});

t.test('staticChains() sends pods and this host past the Local policy, pods without a mark', async (t) => {
  const lookup = 'ip daddr . meta l4proto . th dport vmap @local-service-ips';
  const host = 'fib saddr type local meta mark set meta mark | 0x00004000 goto short-circuit';
  const cidrs = prefixes('10.1.0.0/16');
  t.strictSame(rules('external-local', view({ detectLocal: { mode: 'ClusterCIDR', cidrs } })), [
    'ip saddr 10.1.0.0/16 goto short-circuit',
    host,
    lookup,
    lookup,
  ]);
  t.strictSame(rules('external-local', view()), [host, lookup, lookup], 'no pod can be told');
});

t.test('staticChains() takes node ports where they belong', async (t) => {
  const at = (options: Partial<ProxyOptions>) => [
    rules('services', view(options))?.at(-1),
    rules('refuse-nodeports', view(options)),
  ];
  const refuse = 'meta l4proto . th dport vmap @no-endpoint-nodeports';
  t.strictSame(at({}), ['ip daddr @nodeport-ips jump node-ports', [`ip daddr @nodeport-ips ${refuse}`]]);
  t.strictSame(at({ nodePortAddresses: [] }), [
    'fib daddr type local ip daddr != 127.0.0.0/8 jump node-ports',
    [`ip daddr != 127.0.0.0/8 ${refuse}`],
  ]);
});

t.test('staticChains() drops what goes to cluster IPs that nobody has', async (t) => {
  t.strictSame(rules('refuse-cluster-ips', view({}, ['10.96.0.0/12', '10.200.0.0/16', 'fd00::/108'])), [
    'ip daddr @cluster-ips goto refuse',
    'ip daddr 10.96.0.0/12 drop',
    'ip daddr 10.200.0.0/16 drop',
  ]);
  t.strictSame(rules('refuse-cluster-ips', view()), ['ip daddr @cluster-ips goto refuse']);
});

t.test('balanceChain() picks one of its slots, then slot 0', async (t) => {
  const pick = (key: string, map: string) => (modulus: number) =>
    `dnat ip to ${key} . numgen random mod ${modulus} map @${map}`;
  const byAddress = 'ip daddr . meta l4proto . th dport';
  const byPort = 'meta l4proto . th dport';
  const mark = 'meta mark set meta mark | 0x00004000';
  const cases: [className: string, before: string[], pick: (modulus: number) => string][] = [
    ['cluster', ['jump mark-cluster-clients'], pick(byAddress, 'endpoints')],
    ['external', [mark], pick(byAddress, 'endpoints')],
    ['direct', [], pick(byAddress, 'endpoints')],
    ['local', [], pick(byAddress, 'local-endpoints')],
    ['nodeport', [mark], pick(byPort, 'nodeport-endpoints')],
    ['nodeport-direct', [], pick(byPort, 'nodeport-endpoints')],
    ['nodeport-to-local', [], pick(byPort, 'local-nodeport-endpoints')],
  ];
  for (const [className, before, rule] of cases) {
    for (const [count, expected] of [
      [1, [rule(1), rule(1)]],
      [65, [rule(65), rule(1)]],
    ] as const) {
      const chain = balanceChain(balanceChainName(className, count), view());
      const found = chain.rules.map((each) => printRule(each, 'ip'));
      t.strictSame(found, [...before, ...expected], chain.name);
    }
  }
});

t.test('balanceChain() knows only its classes', async (t) => {
  for (const name of ['external-local', 'other-3', 'cluster', '3', '']) {
    t.throws(() => balanceChain(name, view()), /Invariant broken: ".*" names a balance chain/, name);
  }
});
