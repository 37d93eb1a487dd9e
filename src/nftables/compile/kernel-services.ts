// The Services that have endpoints in the kernel.

import { inSteps, type Steps } from '../../lib/steps.ts';
import type { Family } from '../../net/family.ts';
import { serviceOf } from '../syntax/element.ts';
import type { ElementListing } from '../syntax/kernel-listing.ts';
import { refKey } from '../syntax/object-ref.ts';
import { allSetsAndMaps, roleOf } from './sets-and-maps.ts';

/** Services, as `namespace/name`, with a frontend that has endpoints of the family. Families without any are left out. */
export type KernelServices = ReadonlyMap<Family, ReadonlySet<string>>;

/** Only a frontend with endpoints has a verdict in the maps that dispatch new flows. */
export function* kernelServices(listing: ElementListing): Steps<KernelServices> {
  const services = new Map<Family, Set<string>>();
  for (const object of allSetsAndMaps()) {
    const elements = roleOf(object) === 'verdicts' ? listing.get(refKey(object)) : undefined;
    if (elements === undefined) continue;
    const found = services.get(object.family) ?? new Set<string>();
    services.set(object.family, found);
    yield* inSteps(elements.values(), ({ comment }) => {
      if (comment !== '') found.add(serviceOf(comment));
    });
  }
  return services;
}
