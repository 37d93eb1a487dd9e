// Removes the cluster IPs and external IPs that this node does not proxy from objects.

import type { Family } from '../net/family.ts';
import type { NodeOptions } from '../nftables/compile/node-view.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Service } from '../services/objects/service.ts';

/** Removes the cluster IPs of missing families and, where disabled, the external IPs from a Service. */
export function filterProxied<K extends Kind>(
  kind: K,
  object: ReadResult<KindMap[K]>,
  options: NodeOptions,
): ReadResult<KindMap[K]> {
  const { families, proxiesExternalIps = true } = options;
  if (kind !== 'Service' || object.value === undefined || (families === undefined && proxiesExternalIps)) return object;
  const service = object.value as Service;
  const entries = Object.entries(service.clusterIps) as [Family, string][];
  const clusterIps = Object.fromEntries(entries.filter(([family]) => families?.includes(family) ?? true));
  const value: Service = { ...service, clusterIps, ...(proxiesExternalIps ? {} : { externalIps: [] }) };
  return { ...object, value: value as KindMap[K] };
}

/** The same for a whole list. */
export function filterAllProxied<K extends Kind>(
  kind: K,
  objects: readonly ReadResult<KindMap[K]>[],
  options: NodeOptions,
): ReadResult<KindMap[K]>[] {
  return objects.map((object) => filterProxied(kind, object, options));
}
