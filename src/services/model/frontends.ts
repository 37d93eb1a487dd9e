// The frontends of a Service: its cluster IPs, external addresses and node ports.

import { type Address, familyOf } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Service, TrafficPolicy } from '../objects/service.ts';
import type { ServicePort } from '../objects/service-ports.ts';
import type { EndpointUsage } from './select-backends.ts';

export type FrontendKind = 'cluster-ip' | 'external-ip' | 'load-balancer-ip' | 'node-port';

export interface Frontend {
  readonly kind: FrontendKind;
  readonly family: Family;
  /** `undefined` for a node port. */
  readonly address: Address | undefined;
  readonly servicePort: ServicePort;
  /** The port that clients connect to; the node port for a node port. */
  readonly port: number;
  readonly policy: TrafficPolicy;
}

/** The frontends of one port in one family. An address of several kinds is one frontend, of the first kind in this order. */
export function frontendsOf(
  service: Service,
  { port: servicePort, family }: { port: ServicePort; family: Family },
): Frontend[] {
  if (!service.families.includes(family)) return [];
  const clusterIp = service.clusterIps[family];
  const ofFamily = (address: Address): boolean => familyOf(address) === family;
  const { port, nodePort } = servicePort;
  const frontendAt = (kind: FrontendKind, policy: TrafficPolicy) => (address: Address) => ({
    kind,
    family,
    address,
    servicePort,
    port,
    policy,
  });
  const candidates: Frontend[] = [
    ...(clusterIp === undefined ? [] : [frontendAt('cluster-ip', service.internalTrafficPolicy)(clusterIp)]),
    ...service.loadBalancerIps.filter(ofFamily).map(frontendAt('load-balancer-ip', service.externalTrafficPolicy)),
    ...service.externalIps.filter(ofFamily).map(frontendAt('external-ip', service.externalTrafficPolicy)),
  ];
  const firstByAddress = new Map(candidates.toReversed().map((frontend) => [frontend.address, frontend]));
  const unique = candidates.filter((frontend) => firstByAddress.get(frontend.address) === frontend);
  if (nodePort === 0) return unique;
  return [
    ...unique,
    {
      kind: 'node-port',
      family,
      address: undefined,
      servicePort,
      port: nodePort,
      policy: service.externalTrafficPolicy,
    },
  ];
}

/** All frontends of a Service. */
export function allFrontends(service: Service): Frontend[] {
  return service.families.flatMap((family) => service.ports.flatMap((port) => frontendsOf(service, { port, family })));
}

/** The lists of backends that the frontends of one port need. */
export function endpointUsage(
  frontends: readonly Frontend[],
  { internalTrafficPolicy, externalTrafficPolicy }: Service,
): EndpointUsage {
  const external = frontends.some((frontend) => frontend.kind !== 'cluster-ip');
  return {
    cluster: internalTrafficPolicy === 'Cluster' || external,
    local: internalTrafficPolicy === 'Local' || (externalTrafficPolicy === 'Local' && external),
  };
}
