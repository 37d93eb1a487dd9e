// The affinity maps of a Service, and the endpoints that may be in them.

import { affinityId, affinityMapNames } from '../nftables/compile/endpoint-chains.ts';
import { affinityMap } from '../nftables/compile/sets-and-maps.ts';
import { concat, type SetOrMap } from '../nftables/syntax/element.ts';
import type { Backend } from '../services/model/backends.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';

/** An affinity map and its valid endpoints, as `address . port`. */
export interface AffinityMap {
  readonly object: SetOrMap;
  readonly endpoints: ReadonlySet<string>;
}

/** The affinity maps of a Service with affinity. */
export function affinityMapsOf(service: string, ports: readonly ServicePortModel[]): AffinityMap[] {
  return ports.flatMap(({ family, port, selection }) => {
    const { all, local } = affinityMapNames(affinityId(service, port));
    return [
      { object: affinityMap(family, all), endpoints: toSet(selection.cluster) },
      { object: affinityMap(family, local), endpoints: toSet(selection.local) },
    ];
  });
}

function toSet(backends: readonly Backend[]): Set<string> {
  return new Set(backends.map(({ address, port }) => concat(address, port)));
}
