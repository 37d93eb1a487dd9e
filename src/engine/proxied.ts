// Objects as far as they are proxied on this node.

import type { Family } from '../net/family.ts';
import type { ProxyOptions } from '../nftables/compile/node-view.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { Read } from '../services/objects/read.ts';
import type { Service } from '../services/objects/service.ts';

/** A Service without the families that this machine has not, and without external IPs where nobody wants these. */
export function proxied<K extends Kind>(kind: K, object: Read<KindMap[K]>, options: ProxyOptions): Read<KindMap[K]> {
  const { families, externalIps = true } = options;
  if (kind !== 'Service' || object.value === undefined || (families === undefined && externalIps)) return object;
  const service = object.value as Service;
  const entries = Object.entries(service.clusterIps) as [Family, string][];
  const clusterIps = Object.fromEntries(entries.filter(([family]) => families?.includes(family) ?? true));
  const value: Service = { ...service, clusterIps, ...(externalIps ? {} : { externalIps: [] }) };
  return { ...object, value: value as KindMap[K] };
}

/** The same for a whole list. */
export function allProxied<K extends Kind>(
  kind: K,
  objects: readonly Read<KindMap[K]>[],
  options: ProxyOptions,
): Read<KindMap[K]>[] {
  return objects.map((object) => proxied(kind, object, options));
}
