// What clients of a Service dial: its cluster IP, its external addresses, its node port.

import type { Address } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { familiesOf, type Policy, type Service, type ServicePort } from '../objects/service.ts';
import type { Wants } from './select.ts';

export type FrontendKind = 'cluster-ip' | 'external-ip' | 'load-balancer-ip' | 'node-port';

export interface Frontend {
  readonly kind: FrontendKind;
  readonly family: Family;
  /** `undefined` for a node port, which is dialled at addresses of the node. */
  readonly address: Address | undefined;
  readonly servicePort: ServicePort;
  /** The port that is dialled. */
  readonly port: number;
  readonly policy: Policy;
}

/** All frontends of one port in one family. The same address given twice is one frontend, of the kind listed first here. */
export function frontendsOf(service: Service, servicePort: ServicePort, family: Family): Frontend[] {
  const clusterIp = service.clusterIps[family];
  if (clusterIp === undefined) return [];
  const ofFamily = (address: Address): boolean => address.includes(':') === (family === 'ip6');
  const { port, nodePort } = servicePort;
  const at = (kind: FrontendKind, policy: Policy) => (address: Address) => ({
    kind,
    family,
    address,
    servicePort,
    port,
    policy,
  });
  const addressed: Frontend[] = [
    at('cluster-ip', service.internalPolicy)(clusterIp),
    ...service.loadBalancerIps.filter(ofFamily).map(at('load-balancer-ip', service.externalPolicy)),
    ...service.externalIps.filter(ofFamily).map(at('external-ip', service.externalPolicy)),
  ];
  const first = new Map(addressed.toReversed().map((frontend) => [frontend.address, frontend]));
  const unique = addressed.filter((frontend) => first.get(frontend.address) === frontend);
  if (nodePort === 0) return unique;
  return [
    ...unique,
    { kind: 'node-port', family, address: undefined, servicePort, port: nodePort, policy: service.externalPolicy },
  ];
}

/** All frontends of a Service. */
export function allFrontends(service: Service): Frontend[] {
  return familiesOf(service).flatMap((family) => service.ports.flatMap((port) => frontendsOf(service, port, family)));
}

/** Which lists of backends these frontends of one port need. */
export function wantsOf(frontends: readonly Frontend[], { internalPolicy, externalPolicy }: Service): Wants {
  const external = frontends.some((frontend) => frontend.kind !== 'cluster-ip');
  return {
    cluster: internalPolicy === 'Cluster' || external,
    local: internalPolicy === 'Local' || (externalPolicy === 'Local' && external),
  };
}
