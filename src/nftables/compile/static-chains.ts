// The chains that are always there: a packet's way through our table, up to where an endpoint is chosen.
import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import type { Chain, Field, Hook, Rule, Statement } from '../syntax/statement.ts';
import type { NodeView } from './node-view.ts';
import {
  AFFINITY_KEY,
  CONNECTION,
  FRONTEND,
  HAIRPIN,
  NODE_PORT,
  NODE_PORT_AFFINITY_KEY,
  resetConnections,
  type SetOrMapName,
} from './sets-and-maps.ts';

/**
 *     prerouting -110 ┐
 *     output     -110 ┴─ guard ──── load balancer addresses that are closed to this client: dropped
 *     prerouting -100 ┐
 *     output     -100 ┴─ services ─┬─ service-ips ────────► cluster-N, external-N  (see led-chains.ts)
 *                                  │                      └► external-local ─► direct-N, local-N
 *                                  └─ service-nodeports ──► nodeport-N, or nodeport-local in the same way
 *     prerouting -99 ─────────────── pods of other nodes whose flows leave the way that they came: marked
 *     input 0, forward 0, output 0 ─ flows that could not be translated: refused or dropped
 *     input 0, postrouting 0 ─────── affinity: clients that are to find the same endpoint again
 *     postrouting 100 ────────────── masquerade: marked flows and hairpins
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
    { name: 'nat-postrouting', hook: nat('postrouting', 100), rules: masquerade(node) },
    {
      name: 'filter-input',
      hook: filter('input', 0),
      rules: jumpOnNewFlows('nodeport-endpoints-check', 'service-endpoints-check', 'affinity-update'),
    },
    {
      name: 'filter-forward',
      hook: filter('forward', 0),
      rules: [...dropInvalid(family, node), ...jumpOnNewFlows('service-endpoints-check', 'cluster-ips-check')],
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

/** The chain that resets connections which the fast path has given up. */
export const RESET_CONNECTIONS_CHECK = 'reset-connections-check';

/**
 * A connection of the fast path has no conntrack entry. When the fast path gives it up, its next segment is the first that
 * conntrack sees: new, or invalid where it is a FIN or connections are not picked up in their middle (nf_conntrack_tcp_loose).
 * One that has gone to a pod which is no more stays new, for nobody answers. Rejecting in prerouting takes Linux 5.9, less
 * than the fast path.
 */
function jumpToResetCheck({ resetsConnections }: NodeView): Rule[] {
  if (!resetsConnections) return [];
  const isMidstream: Rule = [
    { kind: 'state', state: 'new-or-invalid' },
    { kind: 'protocol', protocol: 'tcp' },
    { kind: 'not-syn' },
  ];
  return [[...isMidstream, jump(RESET_CONNECTIONS_CHECK)]];
}

/** Nothing but those connections is in the set, and a client that begins anew from the same port is not stopped. */
function resetConnectionsCheck(family: Family, { resetsConnections }: NodeView): Chain[] {
  if (!resetsConnections) return [];
  const isReset: Statement = { kind: 'in-set', fields: CONNECTION, set: resetConnections(family).name, negate: false };
  return [{ name: RESET_CONNECTIONS_CHECK, rules: [[isReset, { kind: 'reject', tcpReset: true }]] }];
}

/** TCP gets a reset, which no kernel limits: ICMP errors go to a client at one a second once a burst of six is used up. */
const REJECT: readonly Rule[] = [
  [
    { kind: 'protocol', protocol: 'tcp' },
    { kind: 'reject', tcpReset: true },
  ],
  [{ kind: 'reject', tcpReset: false }],
];

/** Only an endpoint that is still chosen is remembered: the maps name dialled frontend and endpoint. */
const AFFINITY_UPDATE: readonly Rule[] = [
  [{ kind: 'status-dnat' }, vmap(AFFINITY_KEY, 'affinity-ips')],
  [{ kind: 'status-dnat' }, vmap(NODE_PORT_AFFINITY_KEY, 'affinity-nodeports')],
];

/**
 * Node ports at 127.0.0.1 need the kernel to route loopback addresses (route_localnet), and then others could reach what
 * listens there. Answers are no concern: their addresses are translated back only after this.
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

/** Each place where node ports are taken. */
function nodePortMatches(family: Family, node: NodeView): Statement[][] {
  return [nodePortMatch(family, node), ...localhostMatch(family, node)];
}

function localhostMatch(family: Family, node: NodeView): Statement[][] {
  return acceptsLocalhostNodePorts(family, node) ? [[inPrefix('daddr', LOCALHOST)]] : [];
}

const LOCALHOST = '127.0.0.1';

/** The addresses that take node ports: those of the list, or every address of the host but loopback. */
function nodePortMatch(family: Family, node: NodeView): Statement[] {
  if (node.nodePortIps[family] !== 'any') return [inSet('nodeport-ips', [{ field: 'daddr' }])];
  return [{ kind: 'is-local', field: 'daddr' }, notLoopback(family)];
}

/** In the input hook every destination is an address of the host already. */
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

/** Clients of a cluster IP that are not pods get this node's address, for the answer has to come back this way. */
function markForMasquerade(family: Family, node: NodeView): Chain {
  const mark: Statement = { kind: 'set-mark', bit: node.masqueradeBit };
  const notPod = isLocalPod(family, node, { negate: true });
  if (node.masqueradeAll) return { name: 'mark-for-masquerade', rules: [[mark]] };
  return { name: 'mark-for-masquerade', rules: notPod === undefined ? [] : [[notPod, mark]] };
}

/** External frontends with externalTrafficPolicy Local, dialled at an address, and dialled at a node port. */
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
 * Under the Local policy pods and processes of this node may use every endpoint (`chain` leads there); whoever comes
 * from outside gets those of this node, and keeps its address.
 */
export function shortCircuit(family: Family, node: NodeView, chain: string): Rule[] {
  const gotoChain: Statement = { kind: 'goto', chain };
  const pod = isLocalPod(family, node, { negate: false });
  const mark: Statement = { kind: 'set-mark', bit: node.masqueradeBit };
  return [...(pod === undefined ? [] : [[pod, gotoChain]]), [{ kind: 'is-local', field: 'saddr' }, mark, gotoChain]];
}

/** What tells a pod from other clients; `undefined` when the node cannot tell (no pod CIDR of this family is known). */
function isLocalPod(family: Family, { detectLocal }: NodeView, { negate }: { negate: boolean }): Statement | undefined {
  if (detectLocal.by === 'interface') return { kind: 'input-interface', name: detectLocal.name, negate };
  const prefix = detectLocal.prefixes[family];
  return prefix === undefined ? undefined : inPrefix('saddr', prefix, { negate });
}

/**
 * A pod of another node that reaches one of our frontends looks like a pod of this node when pods are told by address.
 * Where its flow then leaves the way that it came, the answer would not pass here and the client would drop it. After the
 * translation, but before the route is taken: in a forward chain the kernel looks for a way out by an interface only since
 * Linux 5.19.
 */
function markReversedFlows(family: Family, node: NodeView): Chain[] {
  if (node.detectLocal.by !== 'source') return [];
  const hook = filter('prerouting', -99);
  const pod = isLocalPod(family, node, { negate: false });
  if (pod === undefined) return [{ name: 'filter-prerouting-post-dnat', hook, rules: [] }];
  const hairpinKey: readonly Field[] = [
    { field: 'daddr' },
    { field: 'daddr' },
    { field: 'l4proto' },
    { field: 'dport' },
  ];
  const conditions: Rule = [{ kind: 'state', state: 'new' }, { kind: 'status-dnat' }, pod];
  const isReversed: Rule = [
    inSet('hairpin-connections', hairpinKey, { negate: true }),
    { kind: 'leaves-by-input-interface' },
  ];
  const rule: Rule = [...conditions, ...isReversed, { kind: 'set-mark', bit: node.masqueradeBit }];
  return [{ name: 'filter-prerouting-post-dnat', hook, rules: [rule] }];
}

/**
 * A segment that conntrack takes for invalid is not translated back: the client would see it come from the endpoint
 * itself, and reset the connection. Only what pods send is dropped: others' asymmetric traffic is not our business.
 */
function dropInvalid(family: Family, node: NodeView): Rule[] {
  const pod = isLocalPod(family, node, { negate: false });
  if (pod === undefined) return [];
  return [[{ kind: 'state', state: 'invalid' }, { kind: 'protocol', protocol: 'tcp' }, pod, { kind: 'drop' }]];
}

function masquerade({ masqueradeBit: bit }: NodeView): Rule[] {
  return [
    [{ kind: 'mark-is-set', bit }, { kind: 'clear-mark', bit }, { kind: 'masquerade' }],
    [{ kind: 'status-dnat' }, inSet('hairpin-connections', HAIRPIN), { kind: 'masquerade' }],
  ];
}

/** A lookup that is tried again when it missed: an element that a commit replaces can be missing for a moment. */
export function withRetry(rule: Rule): Rule[] {
  return [rule, rule];
}

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
