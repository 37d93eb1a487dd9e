// A Service as this node proxies it: with what an API server would fill in, and without addresses and node ports that this node does
// not proxy.

import type { Address } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { ClusterIpAssignment } from '../allocation/cluster-ip-assignment.ts';
import { reportUnserved, withAssignedIps, withDefaultFamily } from '../allocation/complete-service.ts';
import type { ReadResult } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import type { NodePortAddress } from './node-port-addresses.ts';
import { type OwnPort, withoutOwnPorts } from './own-ports.ts';

interface ProxyOptions {
  /** The address families of this machine; absent for both. */
  readonly families?: readonly Family[] | undefined;
  /** Whether external IPs of Services are proxied; absent for yes. */
  readonly proxiesExternalIps?: boolean | undefined;
  readonly ownPorts?: readonly OwnPort[] | undefined;
  readonly nodePortAddresses: readonly NodePortAddress[];
}

interface ProxyContext {
  readonly options: ProxyOptions;
  readonly hostAddresses: readonly Address[];
  /** The family of Services that name none. */
  readonly primary: Family;
  /** `undefined` if cluster IPs are not assigned. */
  readonly assignment: ClusterIpAssignment | undefined;
}

/**
 * Completes the families and cluster IPs of a Service, and removes the families that the machine lacks, external IPs where they are
 * disabled, and the ports of the daemon's own servers.
 */
export function proxiedService(
  object: ReadResult<Service>,
  { options, hostAddresses, primary, assignment }: ProxyContext,
): ReadResult<Service> {
  if (object.value === undefined) return object;
  const localhostNodePorts = options.nodePortAddresses.includes('localhost');
  const servers = { ownPorts: options.ownPorts ?? [], localhostNodePorts, hostAddresses };
  const given = { ...object, value: withDefaultFamily(object.value, primary) };
  const filtered = withoutOwnPorts(given, servers);
  const completed = assignment === undefined ? filtered : withAssignedIps(filtered, assignment);
  return filterAddresses(reportUnserved(completed), options);
}

function filterAddresses(object: ReadResult<Service>, options: ProxyOptions): ReadResult<Service> {
  const { families, proxiesExternalIps = true } = options;
  const { value: service } = object;
  if (service === undefined || (families === undefined && proxiesExternalIps)) return object;
  const isProxied = (family: Family): boolean => families?.includes(family) ?? true;
  const entries = Object.entries(service.clusterIps) as [Family, string][];
  const clusterIps = Object.fromEntries(entries.filter(([family]) => isProxied(family)));
  const value: Service = {
    ...service,
    families: service.families.filter(isProxied),
    clusterIps,
    ...(proxiesExternalIps ? {} : { externalIps: [] }),
  };
  return { ...object, value };
}
