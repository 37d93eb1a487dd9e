// The chains: a packet's way through our table. Their number depends on how many different endpoint counts there are.
import { invariant } from '../lib/invariant.ts';
import { FAMILY_TRAITS, type Family } from '../net/family.ts';
import type { Chain, Field, Hook, Rule, Statement } from '../nft/statement.ts';
import type { NodeView } from './node-view.ts';
import { FRONTEND, HAIRPIN, NODE_PORT, type ObjectName } from './objects.ts';

/**
 * The chains that are always there.
 *
 *     prerouting -100 ┐
 *     output     -100 ┴─ services ─┬─ service-ips ────────► cluster-N, external-N  (dnat to a slot)
 *                                  │                      └► external-local ─► direct-N, local-N
 *                                  └─ service-nodeports ──► nodeport-N, or nodeport-local in the same way
 *     input 0, forward 0, output 0 ─ flows that could not be translated: refused or dropped
 *     postrouting 100 ────────────── masquerade: marked flows and hairpins
 */
export function staticChains(family: Family, node: NodeView): Chain[] {
  return [
    { name: 'nat-prerouting', hook: nat('prerouting', -100), rules: [[jump('services')]] },
    { name: 'nat-output', hook: nat('output', -100), rules: [[jump('services')]] },
    { name: 'nat-postrouting', hook: nat('postrouting', 100), rules: masquerade(node) },
    { name: 'filter-input', hook: filter('input'), rules: onNewFlows('refuse-nodeports', 'refuse-services') },
    { name: 'filter-forward', hook: filter('forward'), rules: onNewFlows('refuse-services', 'refuse-cluster-ips') },
    { name: 'filter-output', hook: filter('output'), rules: onNewFlows('refuse-services', 'refuse-cluster-ips') },
    services(family, node),
    { name: 'node-ports', rules: twice([vmap(NODE_PORT, 'service-nodeports')]) },
    markClusterClients(family, node),
    ...localPolicy(family, node, { suffix: 'ips', chains: ['external-local', 'short-circuit'], key: FRONTEND }),
    ...localPolicy(family, node, {
      suffix: 'nodeports',
      chains: ['nodeport-local', 'nodeport-short-circuit'],
      key: NODE_PORT,
    }),
    refuseNodePorts(family, node),
    { name: 'refuse-services', rules: [[vmap(FRONTEND, 'no-endpoints')]] },
    {
      name: 'refuse-cluster-ips',
      rules: [
        [inSet('cluster-ips', [{ field: 'daddr' }]), { kind: 'goto', chain: 'refuse' }],
        ...node.serviceCidrs[family].map((prefix): Rule => [inPrefix('daddr', prefix), { kind: 'drop' }]),
      ],
    },
    { name: 'refuse', rules: REFUSE },
  ];
}

/** TCP gets a reset, which no kernel limits: ICMP errors are sent at one a second and client once a burst of six is used up. */
const REFUSE: readonly Rule[] = [
  [
    { kind: 'protocol', protocol: 'tcp' },
    { kind: 'reject', tcpReset: true },
  ],
  [{ kind: 'reject', tcpReset: false }],
];

function services(family: Family, node: NodeView): Chain {
  const jumps = [...nodePortDestination(family, node), jump('node-ports')];
  return { name: 'services', rules: [...twice([vmap(FRONTEND, 'service-ips')]), jumps] };
}

/** The addresses that take node ports: those of the list, or every address of the host but loopback. */
function nodePortDestination(family: Family, node: NodeView): Statement[] {
  if (node.nodePortIps[family] !== 'any') return [inSet('nodeport-ips', [{ field: 'daddr' }])];
  return [{ kind: 'is-local', field: 'daddr' }, notLoopback(family)];
}

/** In the input hook every destination is an address of the host already. */
function refuseNodePorts(family: Family, node: NodeView): Chain {
  const accepted = node.nodePortIps[family] === 'any' ? [notLoopback(family)] : nodePortDestination(family, node);
  return { name: 'refuse-nodeports', rules: [[...accepted, vmap(NODE_PORT, 'no-endpoint-nodeports')]] };
}

function notLoopback(family: Family): Statement {
  return inPrefix('daddr', FAMILY_TRAITS[family].loopback, { negate: true });
}

/** Clients of a cluster IP that are not pods get this node's address, for the answer has to come back this way. */
function markClusterClients(family: Family, node: NodeView): Chain {
  const mark: Statement = { kind: 'set-mark', bit: node.masqueradeBit };
  const notPod = isPod(family, node, { negate: true });
  if (node.masqueradeAll) return { name: 'mark-cluster-clients', rules: [[mark]] };
  return { name: 'mark-cluster-clients', rules: notPod === undefined ? [] : [[notPod, mark]] };
}

/**
 * External frontends with externalTrafficPolicy Local. Pods and processes of this node may use every endpoint; whoever
 * comes from outside gets those of this node, and keeps its address.
 */
function localPolicy(
  family: Family,
  node: NodeView,
  to: { suffix: 'ips' | 'nodeports'; chains: readonly [string, string]; key: readonly Field[] },
): Chain[] {
  const [entry, shortCircuit] = to.chains;
  const goShort: Statement = { kind: 'goto', chain: shortCircuit };
  const pod = isPod(family, node, { negate: false });
  const rules: Rule[] = [
    ...(pod === undefined ? [] : [[pod, goShort]]),
    [{ kind: 'is-local', field: 'saddr' }, { kind: 'set-mark', bit: node.masqueradeBit }, goShort],
    ...twice([vmap(to.key, `local-service-${to.suffix}`)]),
  ];
  return [
    { name: entry, rules },
    { name: shortCircuit, rules: twice([vmap(to.key, `short-circuit-${to.suffix}`)]) },
  ];
}

/** What tells a pod from other clients; `undefined` when the node cannot tell (no pod CIDR of this family is known). */
function isPod(family: Family, { detectLocal }: NodeView, { negate }: { negate: boolean }): Statement | undefined {
  if (detectLocal.by === 'interface') return { kind: 'input-interface', name: detectLocal.name, negate };
  const prefix = detectLocal.prefixes[family];
  return prefix === undefined ? undefined : inPrefix('saddr', prefix, { negate });
}

function masquerade({ masqueradeBit: bit }: NodeView): Rule[] {
  return [
    [{ kind: 'mark-is-set', bit }, { kind: 'clear-mark', bit }, { kind: 'masquerade' }],
    [{ kind: 'status-dnat' }, inSet('hairpin', HAIRPIN), { kind: 'masquerade' }],
  ];
}

/** What a chain of each class does before it picks a slot, and where the slots are. */
const CLASSES: Readonly<
  Record<string, { before: 'client' | 'mark' | 'nothing'; slots: ObjectName; key: readonly Field[] }>
> = {
  cluster: { before: 'client', slots: 'endpoints', key: FRONTEND },
  external: { before: 'mark', slots: 'endpoints', key: FRONTEND },
  direct: { before: 'nothing', slots: 'endpoints', key: FRONTEND },
  local: { before: 'nothing', slots: 'local-endpoints', key: FRONTEND },
  nodeport: { before: 'mark', slots: 'nodeport-endpoints', key: NODE_PORT },
  'nodeport-direct': { before: 'nothing', slots: 'nodeport-endpoints', key: NODE_PORT },
  'nodeport-to-local': { before: 'nothing', slots: 'local-nodeport-endpoints', key: NODE_PORT },
};

/** The name of the chain that balances over `count` slots. */
export function balanceChainName(className: string, count: number): string {
  return `${className}-${count}`;
}

const BALANCE_CHAIN = /^(.+)-(\d+)$/;

/** Whether a chain of that name is one of ours that elements lead to; it stays for a while when none does any more. */
export function isBalanceChain(name: string): boolean {
  const [, className = ''] = BALANCE_CHAIN.exec(name) ?? [];
  return className in CLASSES;
}

/** The chain of that name, which elements lead to: shared by all frontends of its class with that many slots. */
export function balanceChain(name: string, { masqueradeBit }: NodeView): Chain {
  const [, className = '', count = ''] = BALANCE_CHAIN.exec(name) ?? [];
  const traits = CLASSES[className];
  invariant(traits !== undefined, `"${name}" names a balance chain`);
  const before: Record<typeof traits.before, Rule[]> = {
    client: [[jump('mark-cluster-clients')]],
    mark: [[{ kind: 'set-mark', bit: masqueradeBit }]],
    nothing: [],
  };
  return { name, rules: [...before[traits.before], ...pick(traits.key, traits.slots, Number(count))] };
}

/**
 * Picks a slot at random. The second rule is for the rare flow whose two lookups fell on both sides of a commit that
 * took its slot away: slot 0 is there as long as the frontend has an endpoint.
 */
function pick(key: readonly Field[], map: ObjectName, count: number): Rule[] {
  const modulo = (modulus: number): Rule => [{ kind: 'dnat', fields: [...key, { field: 'random', modulus }], map }];
  return count === 1 ? twice(modulo(1)) : [modulo(count), modulo(1)];
}

/** A lookup that is tried again when it missed: an element that a commit replaces can be missing for a moment. */
function twice(rule: Rule): Rule[] {
  return [rule, rule];
}

function vmap(fields: readonly Field[], map: string): Statement {
  return { kind: 'vmap', fields, map };
}

function inSet(set: ObjectName, fields: readonly Field[]): Statement {
  return { kind: 'in-set', fields, set };
}

function inPrefix(field: 'saddr' | 'daddr', prefix: string, { negate = false } = {}): Statement {
  return { kind: 'in-prefix', field, prefix, negate };
}

function jump(chain: string): Statement {
  return { kind: 'jump', chain };
}

function onNewFlows(...chains: readonly string[]): Rule[] {
  return chains.map((chain) => [{ kind: 'state-new' }, jump(chain)]);
}

function nat(hook: Hook['hook'], priority: number): Hook {
  return { type: 'nat', hook, priority };
}

function filter(hook: Hook['hook']): Hook {
  return { type: 'filter', hook, priority: 0 };
}
