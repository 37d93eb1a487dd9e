// Frontends with their backends where they are: those with a backend that the programs cannot reach stay with nft.
import type { Endpoint } from './demand.ts';
import type { WantedFrontend } from './demand-book.ts';
import type { FastProtocol } from './entries.ts';
import type { PlacedBackend } from './slots.ts';
import type { PlacedFrontend } from './tables.ts';

/** A backend that is looked for. */
export interface Sought extends Endpoint {
  readonly protocol: FastProtocol;
}

/** A frontend that stays with nft, and why. */
export interface Unplaced {
  readonly frontend: WantedFrontend;
  readonly reason: string;
}

export interface Placement {
  readonly frontends: readonly PlacedFrontend[];
  readonly unplaced: readonly Unplaced[];
}

/**
 * Choosing among some of the backends only would be a change of behaviour: all of a frontend's are placed, or none.
 * `find` says where a backend is, or why it cannot be reached.
 */
export function place(wanted: readonly WantedFrontend[], find: (backend: Sought) => PlacedBackend | string): Placement {
  const frontends: PlacedFrontend[] = [];
  const unplaced: Unplaced[] = [];
  for (const frontend of wanted) {
    const { key, servicePort, endpoints } = frontend;
    const backends: PlacedBackend[] = [];
    let reason: string | undefined;
    for (const endpoint of endpoints) {
      const found = find({ ...endpoint, protocol: key.protocol });
      if (typeof found !== 'string') backends.push(found);
      else reason ??= `${endpoint.address}: ${found}`;
    }
    if (reason === undefined) frontends.push({ key, servicePort, backends, pass: false });
    else unplaced.push({ frontend, reason });
  }
  return { frontends, unplaced };
}
