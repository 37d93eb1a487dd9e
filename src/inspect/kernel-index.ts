// The elements in the kernel, by key.

import { serviceMapKey } from '../nftables/compile/compile-service.ts';
import { SETS_AND_MAPS, type SetOrMapName } from '../nftables/compile/sets-and-maps.ts';
import type { CounterListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedElement } from '../nftables/syntax/listing.ts';
import { type RefKey, refKey } from '../nftables/syntax/object-ref.ts';
import type { Frontend } from '../services/model/frontends.ts';

export class KernelIndex {
  readonly #maps = new Map<RefKey, ReadonlyMap<string, ListedElement>>();

  constructor(counted: CounterListing) {
    for (const [object, elements] of counted) {
      this.#maps.set(object, new Map(elements.map((element) => [element.key, element])));
    }
  }

  get(family: Frontend['family'], name: SetOrMapName, key: string): ListedElement | undefined {
    return this.#maps.get(refKey(SETS_AND_MAPS[family][name]))?.get(key);
  }

  packets(family: Frontend['family'], name: SetOrMapName, key: string): number {
    return this.get(family, name, key)?.packets ?? 0;
  }

  /** The slots of a frontend, in order. */
  slots(family: Frontend['family'], name: SetOrMapName, key: string): ListedElement[] {
    const slots: ListedElement[] = [];
    for (
      let slot = this.get(family, name, `${key} . 0`);
      slot;
      slot = this.get(family, name, `${key} . ${slots.length}`)
    ) {
      slots.push(slot);
    }
    return slots;
  }
}

const SLOT_MAPS: Readonly<Record<'address' | 'node', readonly SetOrMapName[]>> = {
  address: ['endpoints', 'local-endpoints'],
  node: ['nodeport-endpoints', 'local-nodeport-endpoints'],
};

/** The slots of a frontend in the map of all endpoints, and in that of local ones. */
export function slotsOf(frontend: Frontend, kernel: KernelIndex): ListedElement[][] {
  const maps = SLOT_MAPS[frontend.address === undefined ? 'node' : 'address'];
  return maps.map((name) => kernel.slots(frontend.family, name, serviceMapKey(frontend)));
}
