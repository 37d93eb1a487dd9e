// What a Service has besides its ports: policies, source ranges, session affinity, health checks, and where node ports are.

import type { Engine } from '../engine/engine.ts';
import { FAMILY_TRAITS } from '../net/family.ts';
import { LOCALHOST } from '../services/model/node-port-addresses.ts';
import type { Service } from '../services/objects/service.ts';
import { sourceRangesOf } from '../services/objects/source-ranges.ts';

export interface ServiceDetails {
  readonly internalTrafficPolicy: string;
  readonly externalTrafficPolicy: string;
  /** The timeout; absent without session affinity. */
  readonly sessionAffinitySeconds?: number;
  /** By family, for load balancer addresses; absent without any. `open`: all clients may connect. */
  readonly sourceRanges?: Readonly<Record<string, 'open' | readonly string[]>>;
  readonly healthCheckNodePort?: number;
  /** The addresses of this node that take the node ports of the Service; absent without node ports. */
  readonly nodePortAddresses?: readonly string[];
}

export function detailsOf(service: Service, engine: Engine): ServiceDetails {
  const { internalTrafficPolicy, externalTrafficPolicy, affinitySeconds, healthCheckNodePort: port } = service;
  const hasNodePorts = service.ports.some(({ nodePort }) => nodePort !== 0);
  return {
    ...{ internalTrafficPolicy, externalTrafficPolicy },
    ...(affinitySeconds === 0 ? {} : { sessionAffinitySeconds: affinitySeconds }),
    ...(service.hasSourceRanges ? { sourceRanges: rangesOf(service, engine) } : {}),
    ...(port === 0 ? {} : { healthCheckNodePort: port }),
    ...(hasNodePorts ? { nodePortAddresses: addressesOf(service, engine) } : {}),
  };
}

function rangesOf(service: Service, { node }: Engine): Record<string, 'open' | string[]> {
  const entries = service.families.map((family) => {
    const ranges = sourceRangesOf(service, family, { strict: node.strictSourceRanges });
    return [FAMILY_TRAITS[family].label, ranges === 'open' ? ranges : ranges.map(({ text }) => text)] as const;
  });
  return Object.fromEntries(entries);
}

/** Addresses of the host come and go, so they are named only if they are selected. */
function addressesOf({ families }: Service, { node }: Engine): string[] {
  const addresses = families.flatMap((family) => {
    const ips = node.nodePortIps[family];
    return ips === 'any' ? [`every ${FAMILY_TRAITS[family].label} address except loopback`] : ips;
  });
  const atLocalhost = node.localhostNodePorts && families.includes('ip');
  return [...new Set([...addresses, ...(atLocalhost ? [LOCALHOST] : [])])];
}

/** One line for each detail that the tables of ports do not show. */
export function printDetails(details: ServiceDetails): string[] {
  const { sessionAffinitySeconds, sourceRanges, healthCheckNodePort, nodePortAddresses: addresses } = details;
  return [
    ...(sessionAffinitySeconds === undefined ? [] : [`session affinity: ClientIP, for ${sessionAffinitySeconds} s`]),
    ...(sourceRanges === undefined ? [] : [`source ranges: ${printRanges(sourceRanges)}`]),
    ...(healthCheckNodePort === undefined ? [] : [`health check node port: ${healthCheckNodePort}`]),
    ...(addresses === undefined ? [] : [`node ports at: ${addresses.join(', ') || 'no address of this node'}`]),
  ];
}

function printRanges(ranges: NonNullable<ServiceDetails['sourceRanges']>): string {
  const parts = Object.entries(ranges).map(([label, list]) => {
    if (list === 'open') return `${label} all clients`;
    return `${label} ${list.length === 0 ? 'no client' : list.join(', ')}`;
  });
  return parts.join('; ');
}
