// Which part of the daemon's state a command needs.

import type { Engine } from '../../engine/engine.ts';
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
 * those with the node port. All of them if a limit applies, because it depends on all.
 */
export function servicesAt(engine: Pick<Engine, 'store' | 'limited'>, destination: Destination | undefined): Service[] {
  const services = [...engine.store.services.values()];
  if (destination === undefined || engine.limited().length > 0) return services;
  const { address, port } = destination;
  return services.filter(({ clusterIps, externalIps, loadBalancerIps, ports }) => {
    const addresses = [...Object.values(clusterIps), ...externalIps, ...loadBalancerIps];
    return addresses.includes(address) || ports.some(({ nodePort }) => nodePort === port);
  });
}
