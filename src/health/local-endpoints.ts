// How many endpoints of a Service a load balancer can reach through this node.

import type { RefusedService, ServedService } from '../engine/service-change.ts';
import type { Family } from '../net/family.ts';

/**
 * The number of addresses with a ready endpoint on this node, over all ports, in each family of the Service. Terminating
 * endpoints are not ready: packets on their way still reach them, but a load balancer must choose another node (KEP-1669).
 * A Service that the kernel refused has none.
 */
export function countLocalEndpoints(change: ServedService | RefusedService): ReadonlyMap<Family, number> {
  const ports = change.state === 'served' ? change.ports : [];
  const count = (family: Family): number => {
    const backends = ports.flatMap((port) => (port.family === family ? port.backends : []));
    return new Set(backends.filter(({ isLocal, ready }) => isLocal && ready).map(({ address }) => address)).size;
  };
  return new Map(change.service.families.map((family) => [family, count(family)]));
}
