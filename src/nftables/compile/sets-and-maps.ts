// The sets and maps of a table: names, keys and purposes. Their number does not depend on the number of Services.

import { FAMILIES, type Family } from '../../net/family.ts';
import type { ChangeRole } from '../plan/order.ts';
import type { SetOrMap } from '../syntax/element.ts';
import { type Field, printFields } from '../syntax/statement.ts';

/** The key of a frontend with an address: the destination of the client. */
export const FRONTEND: readonly Field[] = [{ field: 'daddr' }, { field: 'l4proto' }, { field: 'dport' }];

/** The key of a node port. */
export const NODE_PORT: readonly Field[] = [{ field: 'l4proto' }, { field: 'dport' }];

/** A connection of a local endpoint to itself. */
export const HAIRPIN: readonly Field[] = [
  { field: 'saddr' },
  { field: 'daddr' },
  { field: 'l4proto' },
  { field: 'dport' },
];

const DESTINATION: readonly Field[] = [{ field: 'daddr' }];

/** The frontend of a flow, as in conntrack, and the address of its endpoint. */
export const AFFINITY_KEY: readonly Field[] = [
  { field: 'original-daddr' },
  { field: 'l4proto' },
  { field: 'original-dport' },
  { field: 'daddr' },
];

/** The same for a node port, whose address is not part of the key. */
export const NODE_PORT_AFFINITY_KEY: readonly Field[] = AFFINITY_KEY.slice(1);

/** {@link AFFINITY_KEY} declared by shorter fields of the same types: nft drops type descriptions that are too long. */
const DECLARED_AFFINITY_KEY: readonly Field[] = [...FRONTEND.slice(0, 2), { field: 'sport' }, { field: 'daddr' }];

/** A slot number. The modulus only gives the key its type; each rule has its own modulus. */
const SLOT: Field = { field: 'random', modulus: 65536 };

/** A connection, before translation. */
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
 * - `service-*` have the verdict for a new flow to a frontend; `short-circuit-*` and `local-service-*` have those of the
 *   Local external traffic policy.
 * - `*endpoints` have one element for each slot of a frontend.
 * - `affinity-*` have the chain that stores the endpoint of a flow.
 * - `firewall-ips` are frontends that accept only clients in `source-ranges`.
 * - `no-endpoint-*` have the verdict for frontends without endpoints.
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

/** The sets and maps of each family, in the order of their declarations. */
export const SETS_AND_MAPS: Readonly<Record<Family, Readonly<Record<SetOrMapName, SetOrMap>>>> = {
  ip: declareFamily('ip'),
  ip6: declareFamily('ip6'),
};

/**
 * When the elements of a set or map change within a sync. Sets whose elements must exist before a frontend works count
 * as slots; those whose elements must not exist while it works, as rejects.
 */
export function roleOf({ name }: Pick<SetOrMap, 'name'>): ChangeRole {
  if (['hairpin-connections', 'nodeport-ips', 'firewall-ips', 'source-ranges'].includes(name)) return 'slots';
  if (name === 'cluster-ips') return 'rejects';
  if (name.startsWith('no-endpoint')) return 'rejects';
  if (isSlot({ name })) return 'slots';
  return name.startsWith('service-') ? 'verdicts' : 'inner-verdicts';
}

/** Whether the elements are slots of frontends, which have no effect without a verdict. */
export function isSlot({ name }: Pick<SetOrMap, 'name'>): boolean {
  return name.endsWith('endpoints') && !name.startsWith('no-endpoint');
}

/** The sets and maps of both families, without those that chains create. */
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
 * All declarations use `typeof`: a plain `type` written by nft 1.1 makes nft 1.0.6 (Debian 12) crash on every listing.
 * The port of a value is typed by `ct original proto-dst`, the only port that belongs to no protocol header: with `tcp
 * dport`, nft 1.1.3 inserts a match for TCP into the first rule that looks up the map, and with `th dport` it refuses
 * all but the first transaction that does ("conflicting protocols specified: ip vs. th"). Counters count new
 * connections, because only the first packet of a flow passes a nat chain.
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

/** The maximum number of clients. At 100 bytes each, a flood of addresses takes at most 25 MB. */
const AFFINITY_MAP_SIZE = 262_144;

/** A map from client addresses to their last endpoint, for one Service port with affinity. Rules add its elements. */
export function affinityMap(family: Family, name: string): SetOrMap {
  const body = `typeof ${family} saddr : ${endpointType(family)}; size ${AFFINITY_MAP_SIZE}; flags dynamic,timeout;`;
  return { family, name, kind: 'map', body, interval: false };
}

/** The maximum number of elements of {@link resetConnections}. */
export const RESET_CONNECTIONS_SIZE = 131_072;

/**
 * TCP connections that the fast path cannot continue, before translation. The fast path adds elements, and they expire:
 * a client that stays silent for longer gets no reset. The set exists as long as the chain `reset-connections-check`.
 */
export function resetConnections(family: Family): SetOrMap {
  const body = `typeof ${printFields(CONNECTION, family)}; size ${RESET_CONNECTIONS_SIZE}; flags timeout; timeout 5m;`;
  return { family, name: 'reset-connections', kind: 'set', body, interval: false };
}

/**
 * The number of the last transaction. Each transaction ends by writing it, so the kernel shows whether it has all of it.
 * Filled at run time, so it is not compared with listings.
 */
export function lastTransaction(family: Family): SetOrMap {
  return { family, name: 'last-transaction', kind: 'set', body: 'typeof meta mark;', interval: false };
}
