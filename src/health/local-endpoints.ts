// How many endpoints of a Service a load balancer can reach by way of this node.

import type { Family } from '../net/family.ts';
import { backendsOf } from '../services/model/backends.ts';
import type { EndpointSlice } from '../services/objects/endpoint-slice.ts';
import { familiesOf, type Service } from '../services/objects/service.ts';

/**
 * The number of addresses with a ready endpoint on this node, over all ports, in each family of the Service. Endpoints
 * that terminate are not ready: traffic that is still on its way reaches them, but a load balancer must look elsewhere
 * (KEP-1669).
 */
export function countLocalEndpoints(
  service: Service,
  slices: Iterable<EndpointSlice>,
  nodeName: string,
): ReadonlyMap<Family, number> {
  const all = [...slices];
  const count = (family: Family): number => {
    const backends = service.ports.flatMap((port) => backendsOf(all, { port, family, nodeName }));
    return new Set(backends.filter(({ isLocal, ready }) => isLocal && ready).map(({ address }) => address)).size;
  };
  return new Map(familiesOf(service).map((family) => [family, count(family)]));
}
