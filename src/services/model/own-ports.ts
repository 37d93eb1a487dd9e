// Keeps Services from the ports of the daemon's own servers: its probes would reach the Service instead.

import { type Address, isLoopback } from '../../net/address.ts';
import type { AddressPort } from '../../net/address-port.ts';
import { specialUseOf } from '../../net/special-address.ts';
import { IssueCollector, type ReadResult } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import type { ServicePort } from '../objects/service-ports.ts';

/** A server of the daemon, over TCP. */
export interface OwnPort extends AddressPort {
  /** Such as `the health port of nftlane`. */
  readonly name: string;
}

interface OwnServers {
  readonly ownPorts: readonly OwnPort[];
  /** Whether node ports are accepted at 127.0.0.1. */
  readonly localhostNodePorts: boolean;
  readonly hostAddresses: readonly Address[];
}

/**
 * The Service without node ports, external IPs and load balancer addresses at which the daemon listens itself. Cluster IPs and
 * other addresses may use the same port numbers.
 */
export function withoutOwnPorts(object: ReadResult<Service>, servers: OwnServers): ReadResult<Service> {
  const { value } = object;
  if (value === undefined || !value.ports.some((port) => servers.ownPorts.some((own) => uses(port, own.port)))) {
    return object;
  }
  const issues = new IssueCollector('Service', value.key);
  const ports = value.ports.map((port) => withoutOwnNodePort(port, servers, issues));
  const keep = (field: string) => (address: Address) => isFree(address, { service: value, field }, servers, issues);
  const externalIps = value.externalIps.filter(keep('spec.externalIPs'));
  const loadBalancerIps = value.loadBalancerIps.filter(keep('status.loadBalancer.ingress'));
  return {
    ...object,
    value: { ...value, ports, externalIps, loadBalancerIps },
    issues: [...object.issues, ...issues.all],
  };
}

function uses({ protocol, port, nodePort }: ServicePort, own: number): boolean {
  return protocol === 'tcp' && (port === own || nodePort === own);
}

function withoutOwnNodePort(
  port: ServicePort,
  { ownPorts, localhostNodePorts }: OwnServers,
  issues: IssueCollector,
): ServicePort {
  const own = ownPorts.find(
    ({ port: number, address }) =>
      port.protocol === 'tcp' && port.nodePort === number && (localhostNodePorts || !isLoopback(address)),
  );
  if (own === undefined) return port;
  const field = 'spec.ports[].nodePort';
  issues.add({ field, value: own.port, reason: `is ${own.name}`, effect: 'ignoring this node port' });
  return { ...port, nodePort: 0 };
}

function isFree(
  address: Address,
  { service, field }: { readonly service: Service; readonly field: string },
  { ownPorts, hostAddresses }: OwnServers,
  issues: IssueCollector,
): boolean {
  const listensAt = (own: Address): boolean =>
    own === address || (specialUseOf(own) === 'unspecified' && hostAddresses.includes(address));
  const own = ownPorts.find(
    (candidate) =>
      listensAt(candidate.address) &&
      service.ports.some(({ protocol, port }) => protocol === 'tcp' && port === candidate.port),
  );
  if (own === undefined) return true;
  const reason = `is an address of this node, and port ${own.port} of the Service is ${own.name}`;
  issues.add({ field, value: address, reason, effect: 'ignoring this address' });
  return false;
}
