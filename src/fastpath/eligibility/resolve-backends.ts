// Resolves the backends of frontends. A frontend with an unreachable backend stays with nftables.

import type { FastPathProtocol } from '../maps/entries.ts';
import type { ResolvedFrontend } from '../maps/map-state.ts';
import type { ResolvedBackend } from '../maps/slots.ts';
import type { Endpoint } from './eligibility.ts';
import type { DesiredFrontend } from './eligibility-index.ts';
import type { SkipReason } from './skip-reason.ts';

/** A backend without the path to its pod. */
export interface UnresolvedBackend extends Endpoint {
  readonly protocol: FastPathProtocol;
}

export interface UnresolvedFrontend extends SkipReason {
  readonly frontend: DesiredFrontend;
}

interface ResolvedFrontends {
  readonly frontends: readonly ResolvedFrontend[];
  readonly unresolved: readonly UnresolvedFrontend[];
}

/**
 * Resolves all backends of a frontend or none: a choice among some of them would differ from that of nftables.
 * `resolve` returns the path to a backend, or why it cannot be reached.
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
