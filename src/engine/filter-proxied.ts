// Services as this node proxies them: with the families that an API server would choose, and without addresses and node ports that
// this node does not proxy.

import type { Address } from '../net/address.ts';
import type { Family } from '../net/family.ts';
import type { NodeOptions } from '../nftables/compile/node-view.ts';
import { primaryFamily, withDefaultFamily } from '../services/allocation/default-families.ts';
import { withoutOwnPorts } from '../services/model/own-ports.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Service } from '../services/objects/service.ts';

interface ProxyNode {
  readonly options: NodeOptions;
  readonly hostAddresses: readonly Address[];
}

/**
 * Completes the families of a Service, and removes the families that the machine lacks, external IPs where they are disabled, and
 * the ports of the daemon's own servers.
 */
export function filterProxied<K extends Kind>(
  kind: K,
  object: ReadResult<KindMap[K]>,
  { options, hostAddresses }: ProxyNode,
): ReadResult<KindMap[K]> {
  if (kind !== 'Service' || object.value === undefined) return object;
  const localhostNodePorts = options.nodePortAddresses.includes('localhost');
  const servers = { ownPorts: options.ownPorts ?? [], localhostNodePorts, hostAddresses };
  const filtered = withoutOwnPorts(object as ReadResult<Service>, servers);
  const primary = primaryFamily({ bindAddress: options.bindAddress, hostAddresses });
  return filterAddresses(withDefaultFamily(filtered, primary), options) as ReadResult<KindMap[K]>;
}

function filterAddresses(object: ReadResult<Service>, options: NodeOptions): ReadResult<Service> {
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

/** The same for a whole list. */
export function filterAllProxied<K extends Kind>(
  kind: K,
  objects: readonly ReadResult<KindMap[K]>[],
  node: ProxyNode,
): ReadResult<KindMap[K]>[] {
  return objects.map((object) => filterProxied(kind, object, node));
}
