// How the programs reach a backend, or why they cannot.

import { BACKEND_NEIGH } from '../maps/layout.ts';
import type { ResolvedBackend } from '../maps/slots.ts';
import type { Uplink } from '../node/node-network.ts';
import type { PodLocation } from '../node/pod-location.ts';
import type { UnresolvedBackend } from './resolve-backends.ts';
import type { SkipReason } from './skip-reason.ts';

const NO_UDP: SkipReason = {
  cause: 'kernel',
  reason: 'UDP needs programs that ask conntrack, and these are not: the log says why',
};

/** Why nothing is taken at all; `objection` is what speaks against the node, `uplinks` are those that can be used. */
export function inactiveReason(nodeConflict: string | undefined, uplinks: readonly Uplink[]): SkipReason | undefined {
  if (nodeConflict !== undefined) return { cause: 'node', reason: nodeConflict };
  return uplinks.length === 0 ? { cause: 'uplink', reason: 'there is no uplink' } : undefined;
}

/**
 * A backend as the maps have it. `where` is where its pod was found, or why it was not; `udp` says whether the programs
 * ask conntrack.
 */
export function backendPath(
  backend: UnresolvedBackend,
  location: PodLocation | string | undefined,
  { udp, uplinks }: { readonly udp: boolean; readonly uplinks: readonly Uplink[] },
): ResolvedBackend | SkipReason {
  if (location === undefined || typeof location === 'string')
    return { cause: 'pod', reason: location ?? 'it is not known' };
  if (backend.protocol === 'udp' && !udp) return NO_UDP;
  const { device, egress, ifindex, l3if, mtu, mac, gatewayMac } = location;
  // The device would drop what is longer, and nobody would tell the sender.
  if (egress !== undefined && uplinks.some((uplink) => uplink.mtu > mtu))
    return { cause: 'pod', reason: `${device}: ${egress}, and its MTU is below that of an uplink` };
  const { address, port, protocol } = backend;
  const flags = egress === undefined ? 0 : BACKEND_NEIGH;
  return { address, port, protocol, flags, ifindex, l3if, mtu, mac, gatewayMac };
}
