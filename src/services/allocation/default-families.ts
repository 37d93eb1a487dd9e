// The families of Services that leave the choice to the API server, where there is none.

import { type Address, familyOf, isLinkLocal, isLoopback } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { IssueCollector, type ReadResult } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';

interface NodeAddresses {
  /** Overrides the node's address of its family. */
  readonly bindAddress?: Address | undefined;
  /** The addresses of the host's interfaces. */
  readonly hostAddresses: readonly Address[];
}

/**
 * The family of a Service with a single one that it does not name. In a cluster, this is the family of the first block of
 * cluster IPs. IPv6 only on a host without IPv4 addresses, so that it does not depend on what else the host is connected to.
 */
export function primaryFamily({ bindAddress, hostAddresses }: NodeAddresses): Family {
  if (bindAddress !== undefined) return familyOf(bindAddress);
  const families = hostAddresses.filter((address) => !isLoopback(address) && !isLinkLocal(address)).map(familyOf);
  return families.includes('ip6') && !families.includes('ip') ? 'ip6' : 'ip';
}

/** The Service with its family, and with an issue if it has nothing that can be served. */
export function withDefaultFamily(object: ReadResult<Service>, primary: Family): ReadResult<Service> {
  const { value, issues } = object;
  if (value === undefined) return object;
  const service: Service = value.families.length === 0 ? { ...value, families: [primary] } : value;
  const hasInvalidIp = issues.some(({ field }) => field.startsWith('spec.clusterIP'));
  if (hasFrontend(service) || hasInvalidIp) return { ...object, value: service };
  const collector = new IssueCollector('Service', service.key);
  const effect = 'nothing of this Service is served';
  collector.add({ field: 'spec.clusterIP', value: undefined, reason: NO_CLUSTER_IP, effect });
  return { ...object, value: service, issues: [...issues, ...collector.all] };
}

/** Why there is no cluster IP. */
export const NO_CLUSTER_IP = 'an API server would assign it';

function hasFrontend({ clusterIps, externalIps, loadBalancerIps, ports }: Service): boolean {
  const addresses = [...Object.values(clusterIps), ...externalIps, ...loadBalancerIps];
  return addresses.length > 0 || ports.some(({ nodePort }) => nodePort !== 0);
}
