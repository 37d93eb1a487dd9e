// Counts the usable endpoints of each Service, family by family.

import { FAMILIES, type Family } from '../../net/family.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';

/** The endpoints of a Service in one family. */
export interface Unit {
  readonly family: Family;
  /** `namespace/name`. */
  readonly service: string;
}

/** The number of endpoints of a slice that can get new connections: ready ones, and serving ones that terminate. */
export function usableCount(slice: EndpointSlice | undefined): number {
  if (slice === undefined || slice.ports.length === 0) return 0;
  let count = 0;
  for (const { ready, serving, terminating } of slice.endpoints) if (ready || (serving && terminating)) count += 1;
  return count;
}

export class UsableEndpoints {
  /** Without zeros. */
  readonly #counts: Readonly<Record<Family, Map<string, number>>> = { ip: new Map(), ip6: new Map() };

  constructor(slices: Iterable<EndpointSlice> = []) {
    for (const slice of slices) this.#add(slice, usableCount(slice));
  }

  /** The number of Services with a usable endpoint. */
  services(family: Family): number {
    return this.#counts[family].size;
  }

  has({ family, service }: Unit): boolean {
    return this.#counts[family].has(service);
  }

  /** Replaces a slice by its next version. Returns the units that lost their last usable endpoint, and that got a first one. */
  change(before: EndpointSlice | undefined, next: EndpointSlice | undefined): { lost: Unit[]; gained: Unit[] } {
    const units = new Map<string, Unit & { readonly had: boolean }>();
    for (const slice of [before, next]) {
      if (slice === undefined) continue;
      const unit = { family: slice.family, service: slice.service };
      units.set(`${unit.family} ${unit.service}`, { ...unit, had: this.has(unit) });
    }
    if (before !== undefined) this.#add(before, -usableCount(before));
    if (next !== undefined) this.#add(next, usableCount(next));
    const all = [...units.values()];
    return {
      lost: all.filter((unit) => unit.had && !this.has(unit)),
      gained: all.filter((unit) => !unit.had && this.has(unit)),
    };
  }

  /** The units that have usable endpoints here and none in `other`. */
  missingIn(other: UsableEndpoints): Unit[] {
    return FAMILIES.flatMap((family) =>
      [...this.#counts[family].keys()]
        .filter((service) => !other.has({ family, service }))
        .map((service) => ({ family, service })),
    );
  }

  #add({ family, service }: EndpointSlice, amount: number): void {
    const count = (this.#counts[family].get(service) ?? 0) + amount;
    if (count > 0) this.#counts[family].set(service, count);
    else this.#counts[family].delete(service);
  }
}
