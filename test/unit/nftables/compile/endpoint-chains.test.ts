// Tests of src/nftables/compile/endpoint-chains.ts.

import t from 'tap';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import {
  type AffinityEntry,
  affinityChainName,
  affinityId,
  affinityMapNames,
  affinityMapNamesOf,
  affinityUpdateName,
  type BalanceClass,
  balanceChainName,
  endpointChain,
  type SlotChoice,
} from '../../../../src/nftables/compile/endpoint-chains.ts';
import { buildNodeView, type ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import { printRule } from '../../../../src/nftables/syntax/statement.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';

const ID = affinityId('shop/web', { name: 'http-2', protocol: 'tcp' });
const MARK = 'meta mark set meta mark | 0x00004000';
const BY_ADDRESS = 'ip daddr . meta l4proto . th dport';
const BY_PORT = 'meta l4proto . th dport';

function view(options: Partial<ProxyOptions> = {}) {
  const facts = { node: undefined, hostAddresses: [], serviceCidrs: [] };
  return buildNodeView({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options }, facts);
}

/** The chains of a name, with their rules. */
function chains(name: string, node = view()): [name: string, rules: string[]][] {
  return endpointChain(name, 'ip', node).chains.map((chain) => [
    chain.name,
    chain.rules.map((rule) => printRule(rule, 'ip')),
  ]);
}

const CLASSES: readonly [className: BalanceClass, before: string[], key: string, map: string][] = [
  ['cluster', ['jump mark-for-masquerade'], BY_ADDRESS, 'endpoints'],
  ['external', [MARK], BY_ADDRESS, 'endpoints'],
  ['direct', [], BY_ADDRESS, 'endpoints'],
  ['local', [], BY_ADDRESS, 'local-endpoints'],
  ['nodeport', [MARK], BY_PORT, 'nodeport-endpoints'],
  ['nodeport-direct', [], BY_PORT, 'nodeport-endpoints'],
  ['local-nodeport', [], BY_PORT, 'local-nodeport-endpoints'],
];

t.test('endpointChain() builds every balance chain from its name', async (t) => {
  for (const [className, before, key, map] of CLASSES) {
    const at = (slot: string) => `dnat ip to ${key} . ${slot} map @${map}`;
    const [random, first] = [at('numgen random mod 65'), at('numgen random mod 1')];
    const hash = (of: string, count: number) => at(`jhash ${of} mod ${count} seed 0x6e66746c`);
    const cases: [SlotChoice, number, string[]][] = [
      ['per-flow', 1, [first, first]],
      ['per-flow', 65, [`meta l4proto udp ${hash('ip saddr . th sport', 65)}`, random, first]],
      ['source', 1, [hash('ip saddr', 1), first]],
      ['source', 4093, [hash('ip saddr', 4093), first]],
    ];
    for (const [choice, count, expected] of cases) {
      const name = balanceChainName(className, choice, count);
      t.strictSame(chains(name), [[name, [...before, ...expected]]], name);
      t.strictSame(endpointChain(name, 'ip', view()).setsAndMaps, [], 'no sets and maps');
    }
  }
});

t.test('endpointChain() refuses other names', async (t) => {
  for (const name of ['external-local', 'other-3', 'other-source-3', 'cluster', 'cluster-source', '3', '']) {
    t.throws(() => endpointChain(name, 'ip', view()), /Invariant broken: ".*" names a balance chain/, name);
  }
});

const KNOWN = `meta l4proto tcp dnat ip to ip saddr map @affinity/${ID}`;
const AFFINITY_CHAINS: readonly [entry: AffinityEntry, rules: string[]][] = [
  ['cluster', ['jump mark-for-masquerade', KNOWN, 'goto short-circuit']],
  ['cluster-local', ['jump mark-for-masquerade', KNOWN.replace('@affinity', '@local-affinity'), 'goto short-circuit']],
  ['external', [MARK, KNOWN, 'goto short-circuit']],
  ['nodeport', [MARK, KNOWN, 'goto nodeport-short-circuit']],
];

t.test('endpointChain() looks up the affinity map before a slot is chosen', async (t) => {
  for (const [entry, expected] of AFFINITY_CHAINS) {
    const name = affinityChainName(entry, ID);
    t.strictSame(chains(name), [[name, expected]]);
  }
});

t.test('endpointChain() uses a separate affinity map for external clients of the Local policy', async (t) => {
  const cidrs = [parsePrefix('10.1.0.0/16')].filter((prefix) => prefix !== undefined);
  const node = view({ detectLocal: { mode: 'ClusterCIDR', cidrs } });
  const cases: [AffinityEntry, short: string, lookup: string][] = [
    ['external-local', 'short-circuit', `${BY_ADDRESS} vmap @local-service-ips`],
    ['nodeport-local', 'nodeport-short-circuit', `${BY_PORT} vmap @local-service-nodeports`],
  ];
  for (const [entry, short, lookup] of cases) {
    const name = affinityChainName(entry, ID);
    const [direct, go] = [`direct-${name}`, `goto direct-${name}`];
    const known = KNOWN.replace('@affinity', '@local-affinity');
    t.strictSame(chains(name, node), [
      [direct, [KNOWN, `goto ${short}`]],
      [name, [`ip saddr 10.1.0.0/16 ${go}`, `fib saddr type local ${MARK} ${go}`, known, lookup, lookup]],
    ]);
  }
});

t.test('endpointChain() takes the affinity timeout from the name', async (t) => {
  const name = affinityUpdateName(10800, ID);
  const update = (map: string) => `update @${map} { ct original ip saddr timeout 10800s : ip daddr . th dport }`;
  t.strictSame(chains(name), [
    [
      name,
      [
        update(`affinity/${ID}`),
        `ip daddr . ip daddr . meta l4proto . th dport @hairpin-connections ${update(`local-affinity/${ID}`)}`,
      ],
    ],
  ]);
});

t.test('affinityMapNamesOf() finds the ID in a name, whatever its parts are', async (t) => {
  const ports = [
    { name: '', protocol: 'udp' },
    { name: 'affinity-update-3', protocol: 'tcp' },
    { name: 'a.b', protocol: 'sctp' },
  ] as const;
  for (const service of ['a/x', 'affinity-cluster/cluster-3', 'direct/affinity-update-1']) {
    for (const port of ports) {
      const id = affinityId(service, port);
      const maps = affinityMapNames(id);
      const chainNames = (
        ['cluster', 'cluster-local', 'external', 'external-local', 'nodeport', 'nodeport-local'] as const
      ).map((entry) => affinityChainName(entry, id));
      for (const name of [...chainNames, affinityUpdateName(86400, id)]) {
        const { chains, setsAndMaps } = endpointChain(name, 'ip6', view());
        t.equal(chains.at(-1)?.name, name, 'the chain itself is last');
        for (const { name } of [...chains, ...setsAndMaps])
          t.strictSame(affinityMapNamesOf(name), [maps.all, maps.local], name);
        t.strictSame(
          setsAndMaps.map((object) => object.name),
          [maps.all, maps.local],
          name,
        );
        const protocols = chains.flatMap(({ rules }) => rules.flat().filter(({ kind }) => kind === 'protocol'));
        for (const statement of protocols) t.match(statement, { protocol: port.protocol }, name);
      }
    }
  }
  t.strictSame(affinityMapNamesOf('cluster-3'), []);
});

t.test('names for the longest Service names fit into the kernel', async (t) => {
  const label = 'x'.repeat(63);
  const id = affinityId(`${label}/${label}`, { name: label, protocol: 'sctp' });
  const longest = [affinityChainName('nodeport-local', id), affinityUpdateName(86400, id)].flatMap((name) =>
    endpointChain(name, 'ip', view()).chains.map((chain) => chain.name.length),
  );
  // The limit is 256 bytes with the terminating zero.
  for (const length of [...longest, affinityMapNames(id).local.length]) t.ok(length < 256, `${length}`);
});
