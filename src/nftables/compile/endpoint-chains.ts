// The chains that elements lead to: where an endpoint is chosen. They are there as long as an element names them.
import { invariant } from '../../lib/invariant.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';
import type { SetOrMap } from '../syntax/element.ts';
import type { Chain, Field, Rule, Statement } from '../syntax/statement.ts';
import type { NodeView } from './node-view.ts';
import { affinityMap, FRONTEND, NODE_PORT, type SetOrMapName } from './sets-and-maps.ts';
import { shortCircuit, vmap, withRetry } from './static-chains.ts';

/** What a name that elements lead to stands for. */
export interface EndpointChain {
  /** Sets and maps that the chains need, besides those that are always there. */
  readonly setsAndMaps: readonly SetOrMap[];
  /** Those that others lead to come first; the last has the name itself. */
  readonly chains: readonly Chain[];
}

/** What a chain of each class does before it chooses, and where the slots are. */
const BALANCE_CLASSES = {
  cluster: { masquerade: 'non-local', slots: 'endpoints', key: FRONTEND },
  external: { masquerade: 'always', slots: 'endpoints', key: FRONTEND },
  direct: { masquerade: 'never', slots: 'endpoints', key: FRONTEND },
  local: { masquerade: 'never', slots: 'local-endpoints', key: FRONTEND },
  nodeport: { masquerade: 'always', slots: 'nodeport-endpoints', key: NODE_PORT },
  'nodeport-direct': { masquerade: 'never', slots: 'nodeport-endpoints', key: NODE_PORT },
  'local-nodeport': { masquerade: 'never', slots: 'local-nodeport-endpoints', key: NODE_PORT },
} as const satisfies Record<string, { masquerade: string; slots: SetOrMapName; key: readonly Field[] }>;

export type BalanceClass = keyof typeof BALANCE_CLASSES;

/** `spread` chooses anew for each flow, `source` the same for each client address. */
export type SlotChoice = 'per-flow' | 'source';

/** The name of the chain that chooses among `count` slots: `cluster-3`, `cluster-source-4093`. */
export function balanceChainName(className: BalanceClass, choice: SlotChoice, count: number): string {
  return choice === 'source' ? `${className}-source-${count}` : `${className}-${count}`;
}

/** A Service port with affinity: its name in chains and memories, `namespace/name/protocol/port`. */
export function affinityId(service: string, { name, protocol }: { name: string; protocol: Protocol }): string {
  return `${service}/${protocol}/${name}`;
}

/** Entries of frontends with affinity. */
export type AffinityEntry = 'cluster' | 'cluster-local' | 'external' | 'external-local' | 'nodeport' | 'nodeport-local';

export function affinityChainName(entry: AffinityEntry, id: string): string {
  return `affinity-${entry}/${id}`;
}

/** The chain that remembers for so many seconds: another time makes another chain, so that it holds at once. */
export function affinityUpdateName(seconds: number, id: string): string {
  return `affinity-update-${seconds}/${id}`;
}

/** The chain for endpoints that only the Local policy admits: other frontends shall not find them in their memory. */
export function affinityUpdateLocalName(seconds: number, id: string): string {
  return `affinity-update-local-${seconds}/${id}`;
}

/** The memories of a Service port with affinity: of all endpoints, and of those of this node. */
export function affinityMapNames(id: string): { readonly all: string; readonly local: string } {
  return { all: `affinity/${id}`, local: `local-affinity/${id}` };
}

/** The affinity id in the name of a chain or memory; `undefined` where there is none. */
export function affinityIdOf(name: string): string | undefined {
  const slash = name.indexOf('/');
  return slash < 0 ? undefined : name.slice(slash + 1);
}

const BALANCE_NAME = /^(.+?)(-source)?-(\d+)$/;
const AFFINITY_NAME = /^affinity-([a-z-]+)\/(.+)$/;
const AFFINITY_UPDATE_NAME = /^affinity-update-(local-)?(\d+)\/(.+)$/;

/** Whether elements lead, or once led, to a chain of that name. It stays for a while when none does any more. */
export function isEndpointChain(name: string): boolean {
  const [, className = ''] = BALANCE_NAME.exec(name) ?? [];
  return className in BALANCE_CLASSES || affinityIdOf(name) !== undefined;
}

/** What the name stands for. Everything about these chains is in their names, so nothing has to be remembered of them. */
export function endpointChain(name: string, family: Family, node: NodeView): EndpointChain {
  const [, local, seconds, updatedId] = AFFINITY_UPDATE_NAME.exec(name) ?? [];
  if (seconds !== undefined && updatedId !== undefined) {
    return affinityUpdateChain(name, {
      id: updatedId,
      seconds: Number(seconds),
      family,
      localOnly: local !== undefined,
    });
  }
  const [, entry, id] = AFFINITY_NAME.exec(name) ?? [];
  if (entry !== undefined && id !== undefined)
    return affinityChains(name, { entry: entry as AffinityEntry, id, family, node });
  return { setsAndMaps: [], chains: [balanceChain(name, node)] };
}

/** Shared by all frontends of its class with that many slots. */
function balanceChain(name: string, node: NodeView): Chain {
  const [, className = '', source, count] = BALANCE_NAME.exec(name) ?? [];
  const traits = BALANCE_CLASSES[className as BalanceClass];
  invariant(traits !== undefined, `"${name}" names a balance chain`);
  const choose = source === undefined ? perFlow : bySource;
  return {
    name,
    rules: [...masqueradeRules(traits.masquerade, node), ...choose(traits.key, traits.slots, Number(count))],
  };
}

function masqueradeRules(when: 'non-local' | 'always' | 'never', { masqueradeBit }: NodeView): Rule[] {
  switch (when) {
    case 'non-local':
      return [[{ kind: 'jump', chain: 'mark-for-masquerade' }]];
    case 'always':
      return [[{ kind: 'set-mark', bit: masqueradeBit }]];
    case 'never':
      return [];
  }
}

/**
 * A slot for each flow: at random, but for UDP by the client's address and port. Two datagrams that leave one socket at
 * once, as DNS clients send their A and AAAA questions, then get the same endpoint; at random the kernel would have to
 * drop one of them, for both are first packets of the same flow.
 * The last rule is for the rare flow whose two lookups fell on both sides of a commit that took its slot away: slot 0 is
 * there as long as the frontend has an endpoint.
 */
function perFlow(key: readonly Field[], map: SetOrMapName, count: number): Rule[] {
  if (count === 1) return withRetry(dnat(key, map, { field: 'random', modulus: 1 }));
  return [
    [
      { kind: 'protocol', protocol: 'udp' },
      ...dnat(key, map, { field: 'hash', of: 'address-and-port', modulus: count }),
    ],
    dnat(key, map, { field: 'random', modulus: count }),
    dnat(key, map, { field: 'random', modulus: 1 }),
  ];
}

function bySource(key: readonly Field[], map: SetOrMapName, count: number): Rule[] {
  return [
    dnat(key, map, { field: 'hash', of: 'address', modulus: count }),
    dnat(key, map, { field: 'random', modulus: 1 }),
  ];
}

function dnat(key: readonly Field[], map: SetOrMapName, slot: Field): Rule {
  return [{ kind: 'dnat', fields: [...key, slot], map }];
}

/** A client that is remembered goes where it went before; the others go on to where a slot is chosen. */
function affinityChains(
  name: string,
  { entry, id, family, node }: { entry: AffinityEntry; id: string; family: Family; node: NodeView },
): EndpointChain {
  const maps = affinityMapNames(id);
  const objects = [affinityMap(family, maps.all), affinityMap(family, maps.local)];
  const isNodePort = entry.startsWith('nodeport');
  const shortCircuitChain = isNodePort ? 'nodeport-short-circuit' : 'short-circuit';
  const gotoShortCircuit: Rule = [{ kind: 'goto', chain: shortCircuitChain }];
  const lookup = (map: string): Rule => [
    { kind: 'protocol', protocol: protocolOf(id) },
    { kind: 'dnat', fields: [{ field: 'saddr' }], map },
  ];
  if (entry === 'external-local' || entry === 'nodeport-local') {
    const direct: Chain = { name: `direct-${name}`, rules: [lookup(maps.all), gotoShortCircuit] };
    const localServices = isNodePort ? vmap(NODE_PORT, 'local-service-nodeports') : vmap(FRONTEND, 'local-service-ips');
    const rules = [...shortCircuit(family, node, direct.name), lookup(maps.local), ...withRetry([localServices])];
    return { setsAndMaps: objects, chains: [direct, { name, rules }] };
  }
  const masquerade = masqueradeRules(entry.startsWith('cluster') ? 'non-local' : 'always', node);
  const map = entry === 'cluster-local' ? maps.local : maps.all;
  return { setsAndMaps: objects, chains: [{ name, rules: [...masquerade, lookup(map), gotoShortCircuit] }] };
}

function protocolOf(id: string): Protocol {
  return (id.split('/')[2] ?? 'tcp') as Protocol;
}

/** An endpoint of this node is remembered for the Local policy, too. */
function affinityUpdateChain(
  name: string,
  { id, seconds, family, localOnly }: { id: string; seconds: number; family: Family; localOnly: boolean },
): EndpointChain {
  const maps = affinityMapNames(id);
  const isLocalEndpoint: Statement = {
    kind: 'in-set',
    fields: [{ field: 'daddr' }, { field: 'daddr' }, { field: 'l4proto' }, { field: 'dport' }],
    set: 'hairpin-connections',
    negate: false,
  };
  const updateLocal: Statement = { kind: 'update-affinity', map: maps.local, seconds };
  const updateBoth: Rule[] = [[{ kind: 'update-affinity', map: maps.all, seconds }], [isLocalEndpoint, updateLocal]];
  const rules = localOnly ? [[updateLocal]] : updateBoth;
  return { setsAndMaps: [affinityMap(family, maps.all), affinityMap(family, maps.local)], chains: [{ name, rules }] };
}
