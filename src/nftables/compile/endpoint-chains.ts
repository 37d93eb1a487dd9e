// The chains that elements refer to, in which an endpoint is chosen. They exist as long as an element refers to them.

import { invariant } from '../../lib/invariant.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';
import type { SetOrMap } from '../syntax/element.ts';
import type { Chain, Field, Rule, Statement } from '../syntax/statement.ts';
import type { NodeView } from './node-view.ts';
import { affinityMap, FRONTEND, NODE_PORT, type SetOrMapName } from './sets-and-maps.ts';
import { shortCircuit, vmap, withRetry } from './static-chains.ts';

/** A chain that elements refer to, with the sets, maps and chains that it needs. */
interface EndpointChain {
  /** The sets and maps that only these chains use. */
  readonly setsAndMaps: readonly SetOrMap[];
  /** The chain itself comes last, after those that it jumps to. */
  readonly chains: readonly Chain[];
}

/** The classes of chains that choose a slot: when they masquerade, and which map has the slots. */
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

/** `per-flow` chooses a slot for each flow, `source` one for each client address. */
export type SlotChoice = 'per-flow' | 'source';

/** The name of the chain that chooses one of `count` slots: `cluster-3`, `cluster-source-4093`. */
export function balanceChainName(className: BalanceClass, choice: SlotChoice, count: number): string {
  return choice === 'source' ? `${className}-source-${count}` : `${className}-${count}`;
}

/** Identifies a Service port with affinity in names of chains and maps: `namespace/name/protocol/port`. */
export function affinityId(service: string, { name, protocol }: { name: string; protocol: Protocol }): string {
  return `${service}/${protocol}/${name}`;
}

/** The kinds of chains that look up the affinity of a client. */
export type AffinityEntry = 'cluster' | 'cluster-local' | 'external' | 'external-local' | 'nodeport' | 'nodeport-local';

export function affinityChainName(entry: AffinityEntry, id: string): string {
  return `affinity-${entry}/${id}`;
}

/** The chain that stores an endpoint with this timeout. A new timeout is a new chain, and applies immediately. */
export function affinityUpdateName(seconds: number, id: string): string {
  return `affinity-update-${seconds}/${id}`;
}

/** The same for endpoints that only the Local policy uses: other frontends must not find them in their map. */
export function affinityUpdateLocalName(seconds: number, id: string): string {
  return `affinity-update-local-${seconds}/${id}`;
}

/** The affinity maps of a Service port: of all endpoints, and of the endpoints of this node. */
export function affinityMapNames(id: string): { readonly all: string; readonly local: string } {
  return { all: `affinity/${id}`, local: `local-affinity/${id}` };
}

/** The affinity maps of the Service port that a chain or map with this name belongs to; none for the names of others. */
export function affinityMapNamesOf(name: string): string[] {
  const slash = name.indexOf('/');
  if (slash < 0) return [];
  const { all, local } = affinityMapNames(name.slice(slash + 1));
  return [all, local];
}

const BALANCE_NAME = /^(.+?)(-source)?-(\d+)$/;
const AFFINITY_NAME = /^affinity-([a-z-]+)\/(.+)$/;
const AFFINITY_UPDATE_NAME = /^affinity-update-(local-)?(\d+)\/(.+)$/;

/** The chain of this name. Everything about endpoint chains is in their names, so no state about them is needed. */
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

const AFFINITY_ENTRIES: ReadonlySet<string> = new Set<AffinityEntry>([
  ...(['cluster', 'cluster-local', 'external', 'external-local', 'nodeport', 'nodeport-local'] as const),
]);

/** The chain of this name, or its owner if it is added with another one; `undefined` if we write no such chain. */
export function endpointChainIfKnown(name: string, family: Family, node: NodeView): EndpointChain | undefined {
  const owner = name.replace(/^direct-(?=affinity-)/, '');
  const [, entry = ''] = AFFINITY_NAME.exec(owner) ?? [];
  const [, className = ''] = BALANCE_NAME.exec(owner) ?? [];
  const isKnown =
    AFFINITY_UPDATE_NAME.test(owner) || AFFINITY_ENTRIES.has(entry) || Object.hasOwn(BALANCE_CLASSES, className);
  const chain = isKnown ? endpointChain(owner, family, node) : undefined;
  return chain?.chains.some((candidate) => candidate.name === name) === true ? chain : undefined;
}

/** Shared by all frontends of a class with the same number of slots. */
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
 * A random slot for each flow; for UDP a hash of the client's address and port. DNS clients send A and AAAA queries
 * from one socket at the same time: both packets are the first of the same flow, and with different endpoints the
 * kernel would drop one of them. The last rule is for a flow whose slot was removed by a commit between its two
 * lookups: slot 0 exists as long as the frontend has an endpoint.
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

/** Uses the stored endpoint of the client, or else goes to the chain that chooses a slot. */
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

/** Stores an endpoint of this node in the map of the Local policy, too. */
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
