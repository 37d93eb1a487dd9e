// Determines the path by which the programs reach a backend.

import { BACKEND_NEIGH } from '../maps/layout.ts';
import type { ResolvedBackend } from '../maps/slots.ts';
import type { Uplink } from '../node/node-network.ts';
import type { PodLocation } from '../node/pod-location.ts';
import type { UnresolvedBackend } from './resolve-backends.ts';
import type { SkipReason } from './skip-reason.ts';

const NO_UDP: SkipReason = {
  cause: 'kernel',
  reason: 'UDP needs conntrack lookups, which the loaded programs lack (see the log)',
};

/** Why the fast path takes no flows at all. `uplinks` are the usable ones. */
export function inactiveReason(nodeConflict: string | undefined, uplinks: readonly Uplink[]): SkipReason | undefined {
  if (nodeConflict !== undefined) return { cause: 'node', reason: nodeConflict };
  return uplinks.length === 0 ? { cause: 'uplink', reason: 'no usable uplink' } : undefined;
}

/**
 * A backend with the path to its pod, or why there is none. `location` is a string when the pod was not found;
 * `udp` is whether the loaded programs can serve UDP.
 */
export function backendPath(
  backend: UnresolvedBackend,
  location: PodLocation | string | undefined,
  { udp, uplinks }: { readonly udp: boolean; readonly uplinks: readonly Uplink[] },
): ResolvedBackend | SkipReason {
  if (location === undefined || typeof location === 'string')
    return { cause: 'pod', reason: location ?? 'pod location unknown' };
  if (backend.protocol === 'udp' && !udp) return NO_UDP;
  const { device, egress, ifindex, l3if, mtu, mac, gatewayMac } = location;
  // The device would drop longer packets without notifying the sender.
  if (egress !== undefined && uplinks.some((uplink) => uplink.mtu > mtu))
    return { cause: 'pod', reason: `${device}: ${egress}, and its MTU is below that of an uplink` };
  const { address, port, protocol } = backend;
  const flags = egress === undefined ? 0 : BACKEND_NEIGH;
  return { address, port, protocol, flags, ifindex, l3if, mtu, mac, gatewayMac };
}
