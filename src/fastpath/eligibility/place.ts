// Frontends with their backends where they are: those with a backend that the programs cannot reach stay with nft.

import type { FastProtocol } from '../maps/entries.ts';
import type { PlacedBackend } from '../maps/slots.ts';
import type { PlacedFrontend } from '../maps/tables.ts';
import type { Endpoint, Why } from './demand.ts';
import type { WantedFrontend } from './demand-book.ts';

/** A backend that is looked for. */
export interface Sought extends Endpoint {
  readonly protocol: FastProtocol;
}

/** A frontend that stays with nft, and why. */
export interface Unplaced extends Why {
  readonly frontend: WantedFrontend;
}

export interface Placement {
  readonly frontends: readonly PlacedFrontend[];
  readonly unplaced: readonly Unplaced[];
}

/**
 * Choosing among some of the backends only would be a change of behaviour: all of a frontend's are placed, or none.
 * `find` says where a backend is, or why it cannot be reached.
 */
export function place(wanted: readonly WantedFrontend[], find: (backend: Sought) => PlacedBackend | Why): Placement {
  const frontends: PlacedFrontend[] = [];
  const unplaced: Unplaced[] = [];
  for (const frontend of wanted) {
    const { key, servicePort, endpoints } = frontend;
    const backends: PlacedBackend[] = [];
    let why: Why | undefined;
    for (const endpoint of endpoints) {
      const found = find({ ...endpoint, protocol: key.protocol });
      if (!('reason' in found)) backends.push(found);
      else why ??= found.cause === 'pod' ? { ...found, reason: `${endpoint.address}: ${found.reason}` } : found;
    }
    if (why === undefined) frontends.push({ key, servicePort, backends, pass: false });
    else unplaced.push({ frontend, ...why });
  }
  return { frontends, unplaced };
}
