// What the memories of affinity may hold.
import { affinityId, memoryNames } from '../nftables/compile/led-chains.ts';
import { memory } from '../nftables/compile/objects.ts';
import { concat, type NftObject } from '../nftables/syntax/element.ts';
import type { Backend } from '../services/model/backends.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';

/** A memory of affinity, and which endpoints its clients may be led to, as `address . port`. */
export interface Memory {
  readonly object: NftObject;
  readonly endpoints: ReadonlySet<string>;
}

/** The memories of a Service with affinity. */
export function memoriesOf(service: string, ports: readonly ServicePortModel[]): Memory[] {
  return ports.flatMap(({ family, port, selection }) => {
    const { all, local } = memoryNames(affinityId(service, port));
    return [
      { object: memory(family, all), endpoints: toSet(selection.cluster) },
      { object: memory(family, local), endpoints: toSet(selection.local) },
    ];
  });
}

function toSet(backends: readonly Backend[]): Set<string> {
  return new Set(backends.map(({ address, port }) => concat(address, port)));
}
