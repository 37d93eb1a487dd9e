// Compares the Services that the kernel has from before the start with those of the source.

import type { Store } from '../../engine/store.ts';
import { inSteps, type Steps } from '../../lib/steps.ts';
import type { Family } from '../../net/family.ts';
import type { KernelServices } from '../../nftables/compile/kernel-services.ts';
import type { LossCount } from './assess-loss.ts';
import { usableCount } from './usable-endpoints.ts';

/** What the first sync would take from the kernel. */
export interface StartLoss {
  /** Services that have endpoints in the kernel and would lose all of a family. */
  readonly services: number;
  /** The same for each family that loses any. */
  readonly families: readonly LossCount[];
}

type Objects = Pick<Store, 'services' | 'slicesOf'>;

/**
 * A Service is lost in a family if the source has no Service of this name, or no endpoint of the family that can get new
 * connections. The configuration of the daemon makes no difference: what it excludes is not a loss.
 */
export function* startLoss(kernel: KernelServices, store: Objects): Steps<StartLoss> {
  const all = new Set<string>();
  const families: LossCount[] = [];
  for (const [family, services] of kernel) {
    let lost = 0;
    yield* inSteps(services, (service) => {
      if (hasEndpoints(store, service, family)) return;
      lost++;
      all.add(service);
    });
    if (lost === 0) continue;
    let present = 0;
    yield* inSteps(store.services.keys(), (service) => {
      if (hasEndpoints(store, service, family)) present++;
    });
    families.push({ lost, present });
  }
  return { services: all.size, families };
}

function hasEndpoints(store: Objects, service: string, family: Family): boolean {
  if (!store.services.has(service)) return false;
  for (const slice of store.slicesOf(service)) if (slice.family === family && usableCount(slice) > 0) return true;
  return false;
}
