// The desired slots of a frontend: its endpoints, repeated by weight.

import type { Backend } from '../../services/model/backends.ts';
import { repeatByWeight, weightedBackends } from '../../services/model/weighted-backends.ts';
import type { Service } from '../../services/objects/service.ts';
import { maglevTable } from '../plan/maglev.ts';
import { concat } from '../syntax/element.ts';

/** The endpoints as `address . port` in the order of slots, for the balance mode and the weights of the Service. */
export function desiredSlots(service: Service, backends: readonly Backend[]): string[] {
  const shares = weightedBackends(service, backends).map(({ value: { address, port }, weight }) => {
    return { value: concat(address, port), weight };
  });
  if (service.balance === 'maglev') return maglevTable(shares.map(({ value: name, weight }) => ({ name, weight })));
  return repeatByWeight(shares);
}
