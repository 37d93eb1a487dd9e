// New connections of each Service port and endpoint, from successive listings of the kernel's counters.

import { FAMILIES, FAMILY_TRAITS } from '../../net/family.ts';
import { SETS_AND_MAPS, type SetOrMapName } from '../../nftables/compile/sets-and-maps.ts';
import type { SetOrMap } from '../../nftables/syntax/element.ts';
import type { CounterListing } from '../../nftables/syntax/kernel-listing.ts';
import type { ListedElement } from '../../nftables/syntax/listing.ts';
import { type RefKey, refKey } from '../../nftables/syntax/object-ref.ts';

/** A Service port in one family. */
export interface PortCount {
  /** `namespace/name:port`, or `namespace/name` for a port without a name. */
  readonly name: string;
  readonly label: 'IPv4' | 'IPv6';
  /** Forwarded to an endpoint. */
  readonly connections: number;
  /** Rejected because there was no endpoint. */
  readonly rejected: number;
}

export interface EndpointCount {
  readonly name: string;
  readonly label: 'IPv4' | 'IPv6';
  /** `address . port` as the kernel has it. */
  readonly endpoint: string;
  readonly connections: number;
}

/** What the packets of a map's elements count as. */
type CounterRole = 'verdict' | 'slot' | 'rejection';

/** The maps whose counters count connections. */
const COUNTED_MAPS: Readonly<Partial<Record<SetOrMapName, CounterRole>>> = {
  'service-ips': 'verdict',
  'service-nodeports': 'verdict',
  endpoints: 'slot',
  'local-endpoints': 'slot',
  'nodeport-endpoints': 'slot',
  'local-nodeport-endpoints': 'slot',
  'no-endpoint-services': 'rejection',
  'no-endpoint-nodeports': 'rejection',
};

/** The maps whose elements are counted, of both families. */
export const COUNTED_OBJECTS: readonly { readonly object: SetOrMap; readonly role: CounterRole }[] = FAMILIES.flatMap(
  (family) =>
    Object.values(SETS_AND_MAPS[family]).flatMap((object) => {
      const role = Object.entries(COUNTED_MAPS).find(([name]) => name === object.name)?.[1];
      return role === undefined ? [] : [{ object, role }];
    }),
);

/** The increase of a frontend's counters since the previous listing. */
interface CounterDelta {
  readonly name: string;
  readonly label: 'IPv4' | 'IPv6';
  verdict: number;
  slot: number;
  rejection: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A counter restarts at 0 when its element is replaced, and a removed element loses what it has counted since the last
 * listing. The totals never decrease while the Service port exists.
 */
export class ConnectionCounts {
  /** Packets by object, then by key and data. */
  #last = new Map<RefKey, Map<string, number>>();
  readonly #ports = new Map<string, Mutable<PortCount>>();
  readonly #endpoints = new Map<string, Mutable<EndpointCount>>();

  /** Adds a listing of the {@link COUNTED_OBJECTS}. Service ports that are not in it are dropped. */
  add(listing: CounterListing): void {
    const deltas = new Map<string, CounterDelta>();
    const endpoints = new Set<string>();
    const next = new Map<RefKey, Map<string, number>>();
    for (const { object, role } of COUNTED_OBJECTS) {
      const { label } = FAMILY_TRAITS[object.family];
      const seen = new Map<string, number>();
      next.set(refKey(object), seen);
      for (const element of listing.get(refKey(object)) ?? []) {
        const increase = this.#increase(object, element, seen);
        const { key, comment, data } = element;
        const frontend = `${label} ${role === 'slot' ? key.slice(0, key.lastIndexOf(' . ')) : key}`;
        const delta = deltas.get(frontend) ?? { name: comment, label, verdict: 0, slot: 0, rejection: 0 };
        deltas.set(frontend, delta);
        delta[role] += increase;
        if (role === 'slot') endpoints.add(this.#addEndpoint({ name: comment, label, endpoint: data }, increase));
      }
    }
    this.#last = next;
    this.#addDeltas(deltas.values());
    for (const key of this.#endpoints.keys()) if (!endpoints.has(key)) this.#endpoints.delete(key);
  }

  /** The ports with the most connections, in descending order. */
  ports(limit: number): PortCount[] {
    const total = ({ connections, rejected }: PortCount) => connections + rejected;
    return [...this.#ports.values()].sort((a, b) => total(b) - total(a)).slice(0, limit);
  }

  endpoints(limit: number): EndpointCount[] {
    return [...this.#endpoints.values()].sort((a, b) => b.connections - a.connections).slice(0, limit);
  }

  #increase(object: SetOrMap, { key, data, packets }: ListedElement, seen: Map<string, number>): number {
    const id = `${key} ${data}`;
    const before = this.#last.get(refKey(object))?.get(id) ?? 0;
    seen.set(id, packets);
    return packets >= before ? packets - before : packets;
  }

  /**
   * Verdicts are replaced whenever the number of endpoints changes, slots only when their endpoint does; clients with session
   * affinity are counted by the verdict alone. The larger count has missed less.
   */
  #addDeltas(deltas: Iterable<CounterDelta>): void {
    const seen = new Set<string>();
    for (const { name, label, verdict, slot, rejection } of deltas) {
      const key = `${label} ${name}`;
      seen.add(key);
      const port = this.#ports.get(key) ?? { name, label, connections: 0, rejected: 0 };
      this.#ports.set(key, port);
      port.connections += Math.max(verdict, slot);
      port.rejected += rejection;
    }
    for (const key of this.#ports.keys()) if (!seen.has(key)) this.#ports.delete(key);
  }

  #addEndpoint({ name, label, endpoint }: Omit<EndpointCount, 'connections'>, increase: number): string {
    const key = `${label} ${name} ${endpoint}`;
    const count = this.#endpoints.get(key) ?? { name, label, endpoint, connections: 0 };
    this.#endpoints.set(key, count);
    count.connections += increase;
    return key;
  }
}
