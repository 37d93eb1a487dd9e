// Frontends with their backends where they are: those with a backend that the programs cannot reach stay with nft.

import type { FastPathProtocol } from '../maps/entries.ts';
import type { ResolvedFrontend } from '../maps/map-state.ts';
import type { ResolvedBackend } from '../maps/slots.ts';
import type { Endpoint } from './eligibility.ts';
import type { DesiredFrontend } from './eligibility-index.ts';
import type { SkipReason } from './skip-reason.ts';

/** A backend that is looked for. */
export interface UnresolvedBackend extends Endpoint {
  readonly protocol: FastPathProtocol;
}

/** A frontend that stays with nft, and why. */
export interface UnresolvedFrontend extends SkipReason {
  readonly frontend: DesiredFrontend;
}

export interface ResolvedFrontends {
  readonly frontends: readonly ResolvedFrontend[];
  readonly unresolved: readonly UnresolvedFrontend[];
}

/**
 * Choosing among some of the backends only would be a change of behaviour: all of a frontend's are placed, or none.
 * `find` says where a backend is, or why it cannot be reached.
 */
export function resolveBackends(
  desired: readonly DesiredFrontend[],
  resolve: (backend: UnresolvedBackend) => ResolvedBackend | SkipReason,
): ResolvedFrontends {
  const frontends: ResolvedFrontend[] = [];
  const unresolved: UnresolvedFrontend[] = [];
  for (const frontend of desired) {
    const { key, servicePort, endpoints } = frontend;
    const backends: ResolvedBackend[] = [];
    let skipReason: SkipReason | undefined;
    for (const endpoint of endpoints) {
      const found = resolve({ ...endpoint, protocol: key.protocol });
      if (!('reason' in found)) backends.push(found);
      else skipReason ??= found.cause === 'pod' ? { ...found, reason: `${endpoint.address}: ${found.reason}` } : found;
    }
    if (skipReason === undefined) frontends.push({ key, servicePort, backends, suspended: false });
    else unresolved.push({ frontend, ...skipReason });
  }
  return { frontends, unresolved };
}
