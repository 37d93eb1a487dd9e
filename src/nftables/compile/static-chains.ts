// The static chains: the path of a packet through our table, up to the chain that chooses an endpoint.

import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import type { Chain, Field, Hook, Rule, Statement } from '../syntax/statement.ts';
import { masqueradeRules } from './masquerade-rules.ts';
import type { NodeView } from './node-view.ts';
import {
  AFFINITY_KEY,
  CONNECTION,
  FRONTEND,
  NODE_PORT,
  NODE_PORT_AFFINITY_KEY,
  resetConnections,
  type SetOrMapName,
} from './sets-and-maps.ts';

/**
 *     prerouting -110 ┐
 *     output     -110 ┴─ drop clients outside the source ranges of a load balancer address
 *     prerouting -100 ┐
 *     output     -100 ┴─ services ─┬─ service-ips ───────► cluster-N, external-N  (see endpoint-chains.ts)
 *                                  │                     └► external-local ─► direct-N, local-N
 *                                  └─ service-nodeports ─► nodeport-N, or nodeport-local in the same way
 *     prerouting -99 ─────────────── mark flows of pods of other nodes that leave by their input interface
 *     input 0, forward 0, output 0 ─ reject or drop flows to frontends without endpoints
 *     input 0, postrouting 0 ─────── store the endpoints of clients with session affinity
 *     postrouting 100 ────────────── masquerade marked flows and hairpin connections
 */
export function staticChains(family: Family, node: NodeView): Chain[] {
  return [
    {
      name: 'filter-prerouting-pre-dnat',
      hook: filter('prerouting', -110),
      rules: [...dropExternalLoopback(family, node), ...jumpToResetCheck(node), ...FIREWALL_CHECK],
    },
    ...resetConnectionsCheck(family, node),
    { name: 'filter-output-pre-dnat', hook: filter('output', -110), rules: FIREWALL_CHECK },
    { name: 'nat-prerouting', hook: nat('prerouting', -100), rules: [[jump('services')]] },
    ...markReversedFlows(family, node),
    { name: 'nat-output', hook: nat('output', -100), rules: [[jump('services')]] },
    { name: 'nat-postrouting', hook: nat('postrouting', 100), rules: masqueradeRules(family, node) },
    {
      name: 'filter-input',
      hook: filter('input', 0),
      rules: jumpOnNewFlows('nodeport-endpoints-check', 'service-endpoints-check', 'affinity-update'),
    },
    {
      name: 'filter-forward',
      hook: filter('forward', 0),
      rules: [...dropInvalid(node), ...jumpOnNewFlows('service-endpoints-check', 'cluster-ips-check')],
    },
    {
      name: 'filter-output',
      hook: filter('output', 0),
      rules: jumpOnNewFlows('service-endpoints-check', 'cluster-ips-check'),
    },
    { name: 'filter-postrouting', hook: filter('postrouting', 0), rules: jumpOnNewFlows('affinity-update') },
    servicesChain(family, node),
    { name: 'nodeports', rules: withRetry([vmap(NODE_PORT, 'service-nodeports')]) },
    markForMasquerade(family, node),
    ...localTrafficPolicyChains(family, node),
    nodePortEndpointsCheck(family, node),
    { name: 'service-endpoints-check', rules: [[vmap(FRONTEND, 'no-endpoint-services')]] },
    clusterIpsCheck(family, node),
    { name: 'reject-chain', rules: REJECT },
    { name: 'affinity-update', rules: AFFINITY_UPDATE },
  ];
}

const FIREWALL_CHECK: readonly Rule[] = [
  [
    { kind: 'state', state: 'new' },
    inSet('firewall-ips', FRONTEND),
    inSet('source-ranges', [...FRONTEND, { field: 'saddr' }], { negate: true }),
    { kind: 'drop' },
  ],
];

/** The chain that resets connections that the fast path cannot continue. */
export const RESET_CONNECTIONS_CHECK = 'reset-connections-check';

/**
 * A connection of the fast path has no conntrack entry. Once the fast path drops it, its next segment is the first that
 * conntrack sees: new, or invalid if it is a FIN or nf_conntrack_tcp_loose is 0. A connection to a deleted pod stays
 * new, because nothing replies. Rejecting in prerouting needs Linux 5.9; the fast path needs a newer one.
 */
function jumpToResetCheck({ resetsConnections }: NodeView): Rule[] {
  if (!resetsConnections) return [];
  const isMidstream: Rule = [
    { kind: 'state', state: 'new-or-invalid' },
    { kind: 'protocol', protocol: 'tcp' },
    { kind: 'without-flags', flags: 'syn' },
  ];
  return [[...isMidstream, jump(RESET_CONNECTIONS_CHECK)]];
}

/** Resets only the connections in the set. A SYN never gets here, so clients may reuse the port. */
function resetConnectionsCheck(family: Family, { resetsConnections }: NodeView): Chain[] {
  if (!resetsConnections) return [];
  const isReset: Statement = { kind: 'in-set', fields: CONNECTION, set: resetConnections(family).name, negate: false };
  return [{ name: RESET_CONNECTIONS_CHECK, rules: [[isReset, { kind: 'reject', tcpReset: true }]] }];
}

/** TCP gets a reset, because the kernel limits ICMP errors to one per second and client, after a burst of six. */
const REJECT: readonly Rule[] = [
  [
    { kind: 'protocol', protocol: 'tcp' },
    { kind: 'reject', tcpReset: true },
  ],
  [{ kind: 'reject', tcpReset: false }],
];

/** The maps' keys have frontend and endpoint, so that only current endpoints of a frontend are stored. */
const AFFINITY_UPDATE: readonly Rule[] = [
  [{ kind: 'status-dnat' }, vmap(AFFINITY_KEY, 'affinity-ips')],
  [{ kind: 'status-dnat' }, vmap(NODE_PORT_AFFINITY_KEY, 'affinity-nodeports')],
];

/**
 * Node ports on 127.0.0.1 need route_localnet, with which other hosts could reach servers on loopback addresses
 * (CVE-2020-8558). Replies are not affected: their addresses are translated back after this chain.
 */
function dropExternalLoopback(family: Family, node: NodeView): Rule[] {
  if (!acceptsLocalhostNodePorts(family, node)) return [];
  const fromOutside: Statement = { kind: 'input-interface', name: 'lo', negate: true };
  const { loopback } = FAMILY_TRAITS[family];
  return (['daddr', 'saddr'] as const).map((field) => [fromOutside, inPrefix(field, loopback), { kind: 'drop' }]);
}

function acceptsLocalhostNodePorts(family: Family, { localhostNodePorts }: NodeView): boolean {
  return localhostNodePorts && family === 'ip';
}

function servicesChain(family: Family, node: NodeView): Chain {
  const jumps = nodePortMatches(family, node).map((conditions): Rule => [...conditions, jump('nodeports')]);
  return { name: 'services', rules: [...withRetry([vmap(FRONTEND, 'service-ips')]), ...jumps] };
}

/** One match for each kind of address that accepts node ports. */
function nodePortMatches(family: Family, node: NodeView): Statement[][] {
  return [nodePortMatch(family, node), ...localhostMatch(family, node)];
}

function localhostMatch(family: Family, node: NodeView): Statement[][] {
  return acceptsLocalhostNodePorts(family, node) ? [[inPrefix('daddr', LOCALHOST)]] : [];
}

const LOCALHOST = '127.0.0.1';

/** The addresses that accept node ports: those of the set, or all addresses of the host except loopback. */
function nodePortMatch(family: Family, node: NodeView): Statement[] {
  if (node.nodePortIps[family] !== 'any') return [inSet('nodeport-ips', [{ field: 'daddr' }])];
  return [{ kind: 'is-local', field: 'daddr' }, notLoopback(family)];
}

/** In the input hook, every destination is an address of the host. */
function nodePortEndpointsCheck(family: Family, node: NodeView): Chain {
  const primaryMatch = node.nodePortIps[family] === 'any' ? [notLoopback(family)] : nodePortMatch(family, node);
  const matches = [primaryMatch, ...localhostMatch(family, node)];
  return {
    name: 'nodeport-endpoints-check',
    rules: matches.map((conditions) => [...conditions, vmap(NODE_PORT, 'no-endpoint-nodeports')]),
  };
}

function clusterIpsCheck(family: Family, node: NodeView): Chain {
  return {
    name: 'cluster-ips-check',
    rules: [
      [inSet('cluster-ips', [{ field: 'daddr' }]), { kind: 'goto', chain: 'reject-chain' }],
      ...node.serviceCidrs[family].map((prefix): Rule => [inPrefix('daddr', prefix), { kind: 'drop' }]),
    ],
  };
}

function notLoopback(family: Family): Statement {
  return inPrefix('daddr', FAMILY_TRAITS[family].loopback, { negate: true });
}

/** Clients of a cluster IP that are not pods are masqueraded, so that the replies return through this node. */
function markForMasquerade(family: Family, node: NodeView): Chain {
  const mark: Statement = { kind: 'set-mark', bit: node.masqueradeBit };
  const notPod = isLocalPod(family, node, { negate: true });
  if (node.masqueradeAll) return { name: 'mark-for-masquerade', rules: [[mark]] };
  return { name: 'mark-for-masquerade', rules: notPod === undefined ? [] : [[notPod, mark]] };
}

/** External frontends with externalTrafficPolicy Local: those with an address, and node ports. */
function localTrafficPolicyChains(family: Family, node: NodeView): Chain[] {
  const variants = [
    { suffix: 'ips', entry: 'external-local', short: 'short-circuit', key: FRONTEND },
    { suffix: 'nodeports', entry: 'nodeport-local', short: 'nodeport-short-circuit', key: NODE_PORT },
  ] as const;
  return variants.flatMap(({ suffix, entry: entryChain, short: shortCircuitChain, key }) => [
    {
      name: entryChain,
      rules: [...shortCircuit(family, node, shortCircuitChain), ...withRetry([vmap(key, `local-service-${suffix}`)])],
    },
    { name: shortCircuitChain, rules: withRetry([vmap(key, `short-circuit-${suffix}`)]) },
  ]);
}

/**
 * With the Local policy, pods and processes of this node may use all endpoints, through `chain`. Other clients use
 * the endpoints of this node and keep their addresses.
 */
export function shortCircuit(family: Family, node: NodeView, chain: string): Rule[] {
  const gotoChain: Statement = { kind: 'goto', chain };
  const pod = isLocalPod(family, node, { negate: false });
  const mark: Statement = { kind: 'set-mark', bit: node.masqueradeBit };
  return [...(pod === undefined ? [] : [[pod, gotoChain]]), [{ kind: 'is-local', field: 'saddr' }, mark, gotoChain]];
}

/** Matches packets from pods of this node; `undefined` when no pod CIDR of the family is known. */
function isLocalPod(family: Family, { detectLocal }: NodeView, { negate }: { negate: boolean }): Statement | undefined {
  if (detectLocal.by === 'interface') return { kind: 'input-interface', name: detectLocal.name, negate };
  const prefix = detectLocal.prefixes[family];
  return prefix === undefined ? undefined : inPrefix('saddr', prefix, { negate });
}

/**
 * With a cluster CIDR, a pod of another node looks like a pod of this node. If its flow leaves by its input interface,
 * the endpoint would reply to the pod directly and the pod would drop the reply, so the flow is masqueraded. This chain
 * is between DNAT and routing because `fib` with an interface works in forward chains only since Linux 5.19.
 */
function markReversedFlows(family: Family, node: NodeView): Chain[] {
  if (node.detectLocal.by !== 'source') return [];
  const hook = filter('prerouting', -99);
  const pod = isLocalPod(family, node, { negate: false });
  if (pod === undefined) return [{ name: 'filter-prerouting-post-dnat', hook, rules: [] }];
  const conditions: Rule = [{ kind: 'state', state: 'new' }, { kind: 'status-dnat' }, pod];
  const isReversed: Rule = [
    inSet('hairpin-connections', endpointKey('daddr', 'dport'), { negate: true }),
    { kind: 'leaves-by-input-interface' },
  ];
  const rule: Rule = [...conditions, ...isReversed, { kind: 'set-mark', bit: node.masqueradeBit }];
  return [{ name: 'filter-prerouting-post-dnat', hook, rules: [rule] }];
}

/**
 * A segment that conntrack considers invalid is not translated back: the client would see the endpoint's address and
 * reset the connection. Only segments from the port of an endpoint of this node are dropped, because others answer no
 * client of a Service, and their path may be asymmetric on purpose. So may be that of a SYN-ACK or RST of an endpoint:
 * conntrack has not seen the handshake. A liberal conntrack translates segments outside of the window.
 */
function dropInvalid({ tcpBeLiberal }: NodeView): Rule[] {
  if (tcpBeLiberal) return [];
  const isMidstream: Rule = [
    { kind: 'state', state: 'invalid' },
    { kind: 'protocol', protocol: 'tcp' },
    { kind: 'without-flags', flags: 'syn,rst' },
  ];
  return [[...isMidstream, inSet('hairpin-connections', endpointKey('saddr', 'sport')), { kind: 'drop' }]];
}

/** The key in `hairpin-connections` of the endpoint that receives or sent the packet. */
function endpointKey(address: 'saddr' | 'daddr', port: 'sport' | 'dport'): Field[] {
  return [{ field: address }, { field: address }, { field: 'l4proto' }, { field: port }];
}

/** Repeats a lookup that missed: while a commit replaces an element, there is a moment without it. */
export function withRetry(rule: Rule): Rule[] {
  return [rule, rule];
}

/** Continues with the verdict that the map has for these fields; no element means the next rule. */
export function vmap(fields: readonly Field[], map: SetOrMapName): Statement {
  return { kind: 'vmap', fields, map };
}

function inSet(set: SetOrMapName, fields: readonly Field[], { negate = false } = {}): Statement {
  return { kind: 'in-set', fields, set, negate };
}

function inPrefix(field: 'saddr' | 'daddr', prefix: string, { negate = false } = {}): Statement {
  return { kind: 'in-prefix', field, prefix, negate };
}

function jump(chain: string): Statement {
  return { kind: 'jump', chain };
}

function jumpOnNewFlows(...chains: readonly string[]): Rule[] {
  return chains.map((chain) => [{ kind: 'state', state: 'new' }, jump(chain)]);
}

function nat(hook: Hook['hook'], priority: number): Hook {
  return { type: 'nat', hook, priority };
}

function filter(hook: Hook['hook'], priority: number): Hook {
  return { type: 'filter', hook, priority };
}
