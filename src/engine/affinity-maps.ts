// The affinity maps of a Service, and the endpoints that may be in them.

import { affinityId, affinityMapNames } from '../nftables/compile/endpoint-chains.ts';
import { affinityMap } from '../nftables/compile/sets-and-maps.ts';
import type { Change } from '../nftables/plan/ledger.ts';
import { concat, type SetOrMap, serviceOf } from '../nftables/syntax/element.ts';
import type { Backend } from '../services/model/backends.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';

/** An affinity map and its valid endpoints, as `address . port`. */
export interface AffinityMap {
  readonly object: SetOrMap;
  readonly endpoints: ReadonlySet<string>;
}

/** Services with affinity whose maps are searched between two changes of others; each takes two processes of nft. */
const SEARCHED_AT_ONCE = 2;

/** The Services whose affinity maps may contain endpoints that they no longer have. */
export class StaleAffinity {
  readonly #changed = new Set<string>();
  readonly #unknown = new Set<string>();

  /** The kernel has applied these changes. New elements cannot make an entry stale. */
  committed(changes: readonly Change[], hasAffinity: (service: string) => boolean): void {
    for (const { installed, desired } of changes) {
      if (installed === undefined) continue;
      const service = desired?.owner ?? serviceOf(installed.comment);
      if (hasAffinity(service)) this.#changed.add(service);
    }
  }

  /** The contents of the maps of these Services are not known. They are searched one after another. */
  search(services: Iterable<string>): void {
    for (const service of services) this.#unknown.add(service);
  }

  /** Whether {@link take} has left Services for later. */
  get hasMore(): boolean {
    return this.#unknown.size > 0;
  }

  /** All Services that changed, and a few of the others. */
  take(): Set<string> {
    const services = new Set(this.#changed);
    this.#changed.clear();
    for (const service of [...this.#unknown].slice(0, SEARCHED_AT_ONCE)) services.add(service);
    for (const service of services) this.#unknown.delete(service);
    return services;
  }
}

/** The affinity maps of a Service with affinity. */
export function affinityMapsOf(service: string, ports: readonly ServicePortModel[]): AffinityMap[] {
  return ports.flatMap(({ family, port, selection }) => {
    const { all, local } = affinityMapNames(affinityId(service, port));
    return [
      { object: affinityMap(family, all), endpoints: toSet(selection.cluster) },
      { object: affinityMap(family, local), endpoints: toSet(selection.local) },
    ];
  });
}

function toSet(backends: readonly Backend[]): Set<string> {
  return new Set(backends.map(({ address, port }) => concat(address, port)));
}
