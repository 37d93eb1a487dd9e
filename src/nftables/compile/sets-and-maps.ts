// Every set and map of a table: name, key and purpose. Their number never depends on the number of Services.
import { FAMILIES, type Family } from '../../net/family.ts';
import type { ChangeRole } from '../plan/order.ts';
import type { SetOrMap } from '../syntax/element.ts';
import { type Field, printFields } from '../syntax/statement.ts';

/** What a client dials at an address: the key of everything about a frontend that has one. */
export const FRONTEND: readonly Field[] = [{ field: 'daddr' }, { field: 'l4proto' }, { field: 'dport' }];

/** What a client dials at a node: the key of everything about a node port. */
export const NODE_PORT: readonly Field[] = [{ field: 'l4proto' }, { field: 'dport' }];

/** A local endpoint that got hold of itself. */
export const HAIRPIN: readonly Field[] = [
  { field: 'saddr' },
  { field: 'daddr' },
  { field: 'l4proto' },
  { field: 'dport' },
];

const DESTINATION: readonly Field[] = [{ field: 'daddr' }];

/** What a client dialled, and the address of the endpoint that it was led to. */
export const AFFINITY_KEY: readonly Field[] = [
  { field: 'original-daddr' },
  { field: 'l4proto' },
  { field: 'original-dport' },
  { field: 'daddr' },
];

/** The same for a node port. */
export const NODE_PORT_AFFINITY_KEY: readonly Field[] = AFFINITY_KEY.slice(1);

/** {@link AFFINITY_KEY} by properties of the same types: nft keeps a description of bounded length, and drops a longer one. */
const DECLARED_AFFINITY_KEY: readonly Field[] = [...FRONTEND.slice(0, 2), { field: 'sport' }, { field: 'daddr' }];

/** A slot is a number drawn per flow. The modulus here only gives the key its type; each rule has its own. */
const SLOT: Field = { field: 'random', modulus: 65536 };

/** A connection as the client sees it. */
export const CONNECTION: readonly Field[] = [
  { field: 'saddr' },
  { field: 'sport' },
  { field: 'daddr' },
  { field: 'dport' },
];

type SetOrMapShape = {
  readonly key: readonly Field[];
  readonly value?: 'verdict' | 'endpoint';
  readonly interval?: boolean;
};

/**
 * - `*-ips` and `*-nodeports` lead a new flow to a chain; the twins serve the Local traffic policies.
 * - `*endpoints` hold one element for each slot of a frontend.
 * - `affinity-*` lead a flow that has found its endpoint to the chain that remembers it.
 * - `firewall-ips` are open only to clients in `source-ranges`.
 * - `no-endpoint*` say how a flow that could not be translated is turned away.
 */
const SHAPES = {
  'service-ips': { key: FRONTEND, value: 'verdict' },
  'service-nodeports': { key: NODE_PORT, value: 'verdict' },
  endpoints: { key: [...FRONTEND, SLOT], value: 'endpoint' },
  'nodeport-endpoints': { key: [...NODE_PORT, SLOT], value: 'endpoint' },

  'short-circuit-ips': { key: FRONTEND, value: 'verdict' },
  'short-circuit-nodeports': { key: NODE_PORT, value: 'verdict' },
  'local-service-ips': { key: FRONTEND, value: 'verdict' },
  'local-service-nodeports': { key: NODE_PORT, value: 'verdict' },
  'local-endpoints': { key: [...FRONTEND, SLOT], value: 'endpoint' },
  'local-nodeport-endpoints': { key: [...NODE_PORT, SLOT], value: 'endpoint' },

  'affinity-ips': {
    key: DECLARED_AFFINITY_KEY,
    value: 'verdict',
  },
  'affinity-nodeports': { key: DECLARED_AFFINITY_KEY.slice(1), value: 'verdict' },

  'firewall-ips': { key: FRONTEND },
  'source-ranges': { key: [...FRONTEND, { field: 'saddr' }], interval: true },

  'no-endpoint-services': { key: FRONTEND, value: 'verdict' },
  'no-endpoint-nodeports': { key: NODE_PORT, value: 'verdict' },
  'cluster-ips': { key: DESTINATION },
  'nodeport-ips': { key: DESTINATION },
  'hairpin-connections': { key: HAIRPIN },
} as const satisfies Record<string, SetOrMapShape>;

export type SetOrMapName = keyof typeof SHAPES;

/** All objects of a family, in the order in which they are declared. */
export const SETS_AND_MAPS: Readonly<Record<Family, Readonly<Record<SetOrMapName, SetOrMap>>>> = {
  ip: declareFamily('ip'),
  ip6: declareFamily('ip6'),
};

/**
 * What an object is for, and so when it changes. A set whose absence does harm for a moment counts as slots; one whose
 * presence does counts as refusals.
 */
export function roleOf({ name }: Pick<SetOrMap, 'name'>): ChangeRole {
  if (['hairpin-connections', 'nodeport-ips', 'firewall-ips', 'source-ranges'].includes(name)) return 'slots';
  if (name === 'cluster-ips') return 'rejects';
  if (name.startsWith('no-endpoint')) return 'rejects';
  if (name.endsWith('endpoints')) return 'slots';
  return name.startsWith('service-') ? 'verdicts' : 'inner-verdicts';
}

export function allSetsAndMaps(): SetOrMap[] {
  return FAMILIES.flatMap((family) => Object.values(SETS_AND_MAPS[family]));
}

function declareFamily(family: Family): Record<SetOrMapName, SetOrMap> {
  const objects = Object.entries<SetOrMapShape>(SHAPES).map(
    ([name, shape]) => [name, toSetOrMap(family, name, shape)] as const,
  );
  return Object.fromEntries(objects) as Record<SetOrMapName, SetOrMap>;
}

/**
 * Declared by `typeof` throughout: a plain `type` written by nft 1.1 makes nft 1.0.6, which Debian 12 hosts have, crash
 * on every listing. A value's port is typed by `ct original proto-dst`, the only port that belongs to no protocol header:
 * with `tcp dport` nft 1.1.3 slips a match for TCP into the first rule that looks the map up, and with `th dport` it
 * refuses all but the first transaction that does ("conflicting protocols specified: ip vs. th"). Counters count new
 * connections, for translation sees the first packet of a flow only.
 */
function toSetOrMap(family: Family, name: string, { key, value, interval = false }: SetOrMapShape): SetOrMap {
  const keys = `typeof ${printFields(key, family)}`;
  const values = { verdict: ' : verdict; counter;', endpoint: ` : ${endpointType(family)}; counter;` };
  const body = value === undefined ? `${keys};${interval ? ' flags interval;' : ''}` : `${keys}${values[value]}`;
  return { family, name, kind: value === undefined ? 'set' : 'map', body, interval };
}

function endpointType(family: Family): string {
  return `${family} daddr . ct original proto-dst`;
}

/** Clients that a memory holds at most: at 100 bytes each a flood of addresses takes 25 MB, and then learns no more. */
const AFFINITY_MAP_SIZE = 262_144;

/** The memory of a Service port with affinity: which endpoint a client had last. It fills itself from the packet path. */
export function affinityMap(family: Family, name: string): SetOrMap {
  const body = `typeof ${family} saddr : ${endpointType(family)}; size ${AFFINITY_MAP_SIZE}; flags dynamic,timeout;`;
  return { family, name, kind: 'map', body, interval: false };
}

/** Connections that {@link resetConnections} holds at most in a family. */
export const RESET_CONNECTIONS_SIZE = 131_072;

/**
 * TCP connections that the fast path has given up, as the client sees them. Only filled at work, and forgotten by itself:
 * a client that says nothing for longer is not told. There as long as the chain of {@link RESET_ENDED} is.
 */
export function resetConnections(family: Family): SetOrMap {
  const body = `typeof ${printFields(CONNECTION, family)}; size ${RESET_CONNECTIONS_SIZE}; flags timeout; timeout 5m;`;
  return { family, name: 'reset-connections', kind: 'set', body, interval: false };
}
