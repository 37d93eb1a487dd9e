// Which part of the daemon's state a command needs.

import type { Engine } from '../../engine/engine.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import type { Service } from '../../services/objects/service.ts';

/** A destination of packets. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** The path of a request for the Services with this destination; for all of them without one. */
export function statePath(destination: Destination | undefined): string {
  if (destination === undefined) return '/state';
  const { address, port } = destination;
  return `/state?${new URLSearchParams({ address, port: String(port) })}`;
}

/** The inverse of {@link statePath}. Other paths mean all Services. */
export function destinationOf(path: string): Destination | undefined {
  const parameters = new URLSearchParams(path.split('?')[1] ?? '');
  const address = parameters.get('address');
  const port = Number(parameters.get('port'));
  return address === null || !(port > 0) ? undefined : { address, port };
}

/**
 * The Services that may decide where packets to this destination go: those with the address, also at other ports, and
 * those with the node port, also for health checks. All of them if a limit applies, because it depends on all.
 */
export function servicesAt(engine: Pick<Engine, 'store' | 'limited'>, destination: Destination | undefined): Service[] {
  const services = [...engine.store.services.values()];
  if (destination === undefined || engine.limited().length > 0) return services;
  const { address, port } = destination;
  return services.filter(({ clusterIps, externalIps, loadBalancerIps, ports, healthCheckNodePort }) => {
    const addresses = [...Object.values(clusterIps), ...externalIps, ...loadBalancerIps];
    const nodePorts = [healthCheckNodePort, ...ports.map(({ nodePort }) => nodePort)];
    return addresses.includes(address) || nodePorts.includes(port);
  });
}

/**
 * The slices of these Services, and those with an endpoint at the destination, if that is a cluster IP: connections to it are
 * then not refused.
 */
export function slicesAt(
  { store }: Pick<Engine, 'store'>,
  { services, destination }: { readonly services: readonly Service[]; readonly destination: Destination | undefined },
): EndpointSlice[] {
  if (destination === undefined || services.length === store.services.size) return [...store.slices()];
  const ofServices = services.flatMap(({ key }) => [...store.slicesOf(key)]);
  const atDestination = [...store.clusterIpUses.slicesAt(destination.address)].flatMap((key) => store.slice(key) ?? []);
  return [...new Set([...ofServices, ...atDestination])];
}
