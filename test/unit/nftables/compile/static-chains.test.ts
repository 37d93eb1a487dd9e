// Tests of src/nftables/compile/static-chains.ts.

import t from 'tap';
import { FAMILIES, type Family } from '../../../../src/net/family.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { buildNodeView, type NodeView, type ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../../../../src/nftables/compile/sets-and-maps.ts';
import { staticChains } from '../../../../src/nftables/compile/static-chains.ts';
import { printRule } from '../../../../src/nftables/syntax/statement.ts';
import { readNode } from '../../../../src/services/objects/node.ts';
import { node } from '../../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';

const prefixes = (...texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);

function view(options: Partial<ProxyOptions> = {}, serviceCidrs: readonly string[] = []): NodeView {
  return buildNodeView(
    { ...DEFAULT_OPTIONS, nodeName: 'n1', ...options },
    { node: readNode(node()).value, hostAddresses: [], serviceCidrs: prefixes(...serviceCidrs) },
  );
}

function rules(name: string, seen: NodeView): string[] | undefined {
  return staticChains('ip', seen)
    .find((chain) => chain.name === name)
    ?.rules.map((rule) => printRule(rule, 'ip'));
}

t.test('staticChains() has unique names and jumps only to its own chains', async (t) => {
  for (const family of FAMILIES) {
    const chains = staticChains(family, view({}, ['10.96.0.0/12', 'fd00::/108']));
    const names = chains.map(({ name }) => name);
    t.equal(new Set(names).size, names.length);
    for (const statement of chains.flatMap((chain) => chain.rules.flat())) {
      if ('chain' in statement) t.ok(names.includes(statement.chain), statement.chain);
      const object = 'map' in statement ? statement.map : 'set' in statement ? statement.set : undefined;
      if (object !== undefined) t.ok(Object.hasOwn(SETS_AND_MAPS[family], object), object);
    }
  }
});

t.test('staticChains() marks clients that are not pods', async (t) => {
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
  for (const [options, expected] of cases) t.strictSame(rules('mark-for-masquerade', view(options)), expected);
});

t.test('staticChains() lets pods and this host bypass the Local policy, pods without a mark', async (t) => {
  const lookup = 'ip daddr . meta l4proto . th dport vmap @local-service-ips';
  const host = 'fib saddr type local meta mark set meta mark | 0x00004000 goto short-circuit';
  const cidrs = prefixes('10.1.0.0/16');
  t.strictSame(rules('external-local', view({ detectLocal: { mode: 'ClusterCIDR', cidrs } })), [
    'ip saddr 10.1.0.0/16 goto short-circuit',
    host,
    lookup,
    lookup,
  ]);
  t.strictSame(rules('external-local', view()), [host, lookup, lookup], 'without a pod CIDR');
});

t.test('staticChains() accepts node ports on node port addresses only', async (t) => {
  const at = (options: Partial<ProxyOptions>) => [
    rules('services', view(options))?.at(-1),
    rules('nodeport-endpoints-check', view(options)),
  ];
  const lookup = 'meta l4proto . th dport vmap @no-endpoint-nodeports';
  t.strictSame(at({}), ['ip daddr @nodeport-ips jump nodeports', [`ip daddr @nodeport-ips ${lookup}`]]);
  t.strictSame(at({ nodePortAddresses: [] }), [
    'fib daddr type local ip daddr != 127.0.0.0/8 jump nodeports',
    [`ip daddr != 127.0.0.0/8 ${lookup}`],
  ]);
});

t.test('staticChains() drops traffic to unassigned cluster IPs', async (t) => {
  t.strictSame(rules('cluster-ips-check', view({}, ['10.96.0.0/12', '10.200.0.0/16', 'fd00::/108'])), [
    'ip daddr @cluster-ips goto reject-chain',
    'ip daddr 10.96.0.0/12 drop',
    'ip daddr 10.200.0.0/16 drop',
  ]);
  t.strictSame(rules('cluster-ips-check', view()), ['ip daddr @cluster-ips goto reject-chain']);
});

t.test('staticChains() drops clients outside the source ranges, before DNAT', async (t) => {
  const frontend = 'ip daddr . meta l4proto . th dport';
  const check = `ct state new ${frontend} @firewall-ips ${frontend} . ip saddr != @source-ranges drop`;
  for (const name of ['filter-prerouting-pre-dnat', 'filter-output-pre-dnat']) {
    t.strictSame(rules(name, view()), [check]);
    t.equal(
      staticChains('ip', view()).find((chain) => chain.name === name)?.hook?.priority,
      -110,
      'before DNAT at -100',
    );
  }
});

t.test('staticChains() looks up affinity by original destination and endpoint', async (t) => {
  const key = 'meta l4proto . ct original proto-dst . ip daddr';
  t.strictSame(rules('affinity-update', view()), [
    `ct status dnat ct original ip daddr . ${key} vmap @affinity-ips`,
    `ct status dnat ${key} vmap @affinity-nodeports`,
  ]);
  t.strictSame(rules('filter-postrouting', view()), ['ct state new jump affinity-update']);
});

t.test('staticChains() drops invalid segments of endpoints, unless conntrack is liberal', async (t) => {
  const invalid = (family: Family, options: Partial<ProxyOptions> = {}) =>
    staticChains(family, view(options))
      .find(({ name }) => name === 'filter-forward')
      ?.rules.map((rule) => printRule(rule, family))
      .filter((rule) => rule.includes('invalid'));
  for (const family of FAMILIES) {
    const endpoint = `${family} saddr . ${family} saddr . meta l4proto . th sport @hairpin-connections`;
    const rule = `ct state invalid meta l4proto tcp tcp flags ! syn,rst ${endpoint} drop`;
    t.strictSame(invalid(family), [rule]);
    t.strictSame(invalid(family, { tcpBeLiberal: true }), []);
  }
});

t.test('staticChains() masquerades flows whose replies would bypass this node', async (t) => {
  const cidrs = prefixes('10.1.0.0/16');
  t.strictSame(rules('filter-prerouting-post-dnat', view({ detectLocal: { mode: 'ClusterCIDR', cidrs } })), [
    'ct state new ct status dnat ip saddr 10.1.0.0/16 ip daddr . ip daddr . meta l4proto . th dport != @hairpin-connections ' +
      'fib daddr . iif oif exists meta mark set meta mark | 0x00004000',
  ]);
  const byBridge = { detectLocal: { mode: 'BridgeInterface', name: 'cni0' } } as const;
  const chains = staticChains('ip', view(byBridge)).map(({ name }) => name);
  t.notOk(chains.includes('filter-prerouting-post-dnat'), 'pods of other nodes do not use the bridge of local pods');
  t.strictSame(rules('filter-prerouting-post-dnat', view()), [], 'without a pod CIDR');
});

t.test('staticChains() clears only its own mark before it masquerades', async (t) => {
  const hairpin =
    'ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random';
  for (const [bit, hex] of [
    [14, '0x00004000'],
    [31, '0x80000000'],
  ] as const) {
    const marked = `meta mark & ${hex} != 0 meta mark set meta mark ^ ${hex} masquerade fully-random`;
    t.strictSame(rules('nat-postrouting', view({ masqueradeBit: bit })), [marked, hairpin]);
  }
});

t.test('staticChains() accepts nothing on behalf of other firewalls', async (t) => {
  for (const family of FAMILIES) {
    for (const { name, rules: own, hook } of staticChains(family, view({ masqueradeAll: true }, ['10.96.0.0/12']))) {
      for (const rule of own) t.notMatch(printRule(rule, family), /\baccept\b/, name);
      t.equal(hook === undefined || !('policy' in hook), true, `${name} has no policy`);
    }
  }
});
