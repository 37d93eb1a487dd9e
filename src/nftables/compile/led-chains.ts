// The chains that elements lead to: where an endpoint is chosen. They are there as long as an element names them.
import { invariant } from '../../lib/invariant.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';
import type { NftObject } from '../syntax/element.ts';
import type { Chain, Field, Rule, Statement } from '../syntax/statement.ts';
import { shortCircuit, twice, vmap } from './chains.ts';
import type { NodeView } from './node-view.ts';
import { FRONTEND, memory, NODE_PORT, type ObjectName } from './objects.ts';

/** What a name that elements lead to stands for. */
export interface Led {
  /** Sets and maps that the chains need, besides those that are always there. */
  readonly objects: readonly NftObject[];
  /** Those that others lead to come first; the last has the name itself. */
  readonly chains: readonly Chain[];
}

/** What a chain of each class does before it chooses, and where the slots are. */
const CLASSES = {
  cluster: { before: 'client', slots: 'endpoints', key: FRONTEND },
  external: { before: 'mark', slots: 'endpoints', key: FRONTEND },
  direct: { before: 'nothing', slots: 'endpoints', key: FRONTEND },
  local: { before: 'nothing', slots: 'local-endpoints', key: FRONTEND },
  nodeport: { before: 'mark', slots: 'nodeport-endpoints', key: NODE_PORT },
  'nodeport-direct': { before: 'nothing', slots: 'nodeport-endpoints', key: NODE_PORT },
  'nodeport-to-local': { before: 'nothing', slots: 'local-nodeport-endpoints', key: NODE_PORT },
} as const satisfies Record<string, { before: string; slots: ObjectName; key: readonly Field[] }>;

export type BalanceClass = keyof typeof CLASSES;

/** `spread` chooses anew for each flow, `source` the same for each client address. */
export type Choice = 'spread' | 'source';

/** The name of the chain that chooses among `count` slots: `cluster-3`, `cluster-source-4093`. */
export function balanceName(className: BalanceClass, choice: Choice, count: number): string {
  return choice === 'source' ? `${className}-source-${count}` : `${className}-${count}`;
}

/** A Service port with affinity: its name in chains and memories, `namespace/name/protocol/port`. */
export function affinityId(service: string, { name, protocol }: { name: string; protocol: Protocol }): string {
  return `${service}/${protocol}/${name}`;
}

/** Entries of frontends with affinity. */
export type StickyEntry = 'cluster' | 'cluster-local' | 'external' | 'external-local' | 'nodeport' | 'nodeport-local';

export function stickyName(entry: StickyEntry, id: string): string {
  return `sticky-${entry}/${id}`;
}

/** The chain that remembers for so many seconds: another time makes another chain, so that it holds at once. */
export function rememberName(seconds: number, id: string): string {
  return `remember-${seconds}/${id}`;
}

/** The chain for endpoints that only the Local policy admits: other frontends shall not find them in their memory. */
export function rememberLocalName(seconds: number, id: string): string {
  return `remember-local-${seconds}/${id}`;
}

/** The memories of a Service port with affinity: of all endpoints, and of those of this node. */
export function memoryNames(id: string): { readonly all: string; readonly local: string } {
  return { all: `memory/${id}`, local: `local-memory/${id}` };
}

/** The affinity id in the name of a chain or memory; `undefined` where there is none. */
export function affinityIdOf(name: string): string | undefined {
  const slash = name.indexOf('/');
  return slash < 0 ? undefined : name.slice(slash + 1);
}

const BALANCE = /^(.+?)(-source)?-(\d+)$/;
const STICKY = /^sticky-([a-z-]+)\/(.+)$/;
const REMEMBER = /^remember-(local-)?(\d+)\/(.+)$/;

/** Whether elements lead, or once led, to a chain of that name. It stays for a while when none does any more. */
export function isLed(name: string): boolean {
  const [, className = ''] = BALANCE.exec(name) ?? [];
  return className in CLASSES || affinityIdOf(name) !== undefined;
}

/** What the name stands for. Everything about these chains is in their names, so nothing has to be remembered of them. */
export function led(name: string, family: Family, node: NodeView): Led {
  const [, local, seconds, remembered] = REMEMBER.exec(name) ?? [];
  if (seconds !== undefined && remembered !== undefined) {
    return rememberChain(name, { id: remembered, seconds: Number(seconds), family, localOnly: local !== undefined });
  }
  const [, entry, id] = STICKY.exec(name) ?? [];
  if (entry !== undefined && id !== undefined)
    return stickyChains(name, { entry: entry as StickyEntry, id, family, node });
  return { objects: [], chains: [balanceChain(name, node)] };
}

/** Shared by all frontends of its class with that many slots. */
function balanceChain(name: string, node: NodeView): Chain {
  const [, className = '', source, count] = BALANCE.exec(name) ?? [];
  const traits = CLASSES[className as BalanceClass];
  invariant(traits !== undefined, `"${name}" names a balance chain`);
  const choose = source === undefined ? spread : bySource;
  return { name, rules: [...before(traits.before, node), ...choose(traits.key, traits.slots, Number(count))] };
}

function before(what: 'client' | 'mark' | 'nothing', { masqueradeBit }: NodeView): Rule[] {
  switch (what) {
    case 'client':
      return [[{ kind: 'jump', chain: 'mark-cluster-clients' }]];
    case 'mark':
      return [[{ kind: 'set-mark', bit: masqueradeBit }]];
    case 'nothing':
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
function spread(key: readonly Field[], map: ObjectName, count: number): Rule[] {
  if (count === 1) return twice(dnat(key, map, { field: 'random', modulus: 1 }));
  return [
    [
      { kind: 'protocol', protocol: 'udp' },
      ...dnat(key, map, { field: 'hash', of: 'address-and-port', modulus: count }),
    ],
    dnat(key, map, { field: 'random', modulus: count }),
    dnat(key, map, { field: 'random', modulus: 1 }),
  ];
}

function bySource(key: readonly Field[], map: ObjectName, count: number): Rule[] {
  return [
    dnat(key, map, { field: 'hash', of: 'address', modulus: count }),
    dnat(key, map, { field: 'random', modulus: 1 }),
  ];
}

function dnat(key: readonly Field[], map: ObjectName, slot: Field): Rule {
  return [{ kind: 'dnat', fields: [...key, slot], map }];
}

/** A client that is remembered goes where it went before; the others go on to where a slot is chosen. */
function stickyChains(
  name: string,
  { entry, id, family, node }: { entry: StickyEntry; id: string; family: Family; node: NodeView },
): Led {
  const memories = memoryNames(id);
  const objects = [memory(family, memories.all), memory(family, memories.local)];
  const atNode = entry.startsWith('nodeport');
  const short = atNode ? 'nodeport-short-circuit' : 'short-circuit';
  const goShort: Rule = [{ kind: 'goto', chain: short }];
  const known = (map: string): Rule => [
    { kind: 'protocol', protocol: protocolOf(id) },
    { kind: 'dnat', fields: [{ field: 'saddr' }], map },
  ];
  if (entry === 'external-local' || entry === 'nodeport-local') {
    const direct: Chain = { name: `direct-${name}`, rules: [known(memories.all), goShort] };
    const elsewhere = atNode ? vmap(NODE_PORT, 'local-service-nodeports') : vmap(FRONTEND, 'local-service-ips');
    const rules = [...shortCircuit(family, node, direct.name), known(memories.local), ...twice([elsewhere])];
    return { objects, chains: [direct, { name, rules }] };
  }
  const first = before(entry.startsWith('cluster') ? 'client' : 'mark', node);
  const map = entry === 'cluster-local' ? memories.local : memories.all;
  return { objects, chains: [{ name, rules: [...first, known(map), goShort] }] };
}

function protocolOf(id: string): Protocol {
  return (id.split('/')[2] ?? 'tcp') as Protocol;
}

/** An endpoint of this node is remembered for the Local policy, too. */
function rememberChain(
  name: string,
  { id, seconds, family, localOnly }: { id: string; seconds: number; family: Family; localOnly: boolean },
): Led {
  const memories = memoryNames(id);
  const isOfThisNode: Statement = {
    kind: 'in-set',
    fields: [{ field: 'daddr' }, { field: 'daddr' }, { field: 'l4proto' }, { field: 'dport' }],
    set: 'hairpin',
    negate: false,
  };
  const inLocal: Statement = { kind: 'remember', map: memories.local, seconds };
  const inBoth: Rule[] = [[{ kind: 'remember', map: memories.all, seconds }], [isOfThisNode, inLocal]];
  const rules = localOnly ? [[inLocal]] : inBoth;
  return { objects: [memory(family, memories.all), memory(family, memories.local)], chains: [{ name, rules }] };
}
