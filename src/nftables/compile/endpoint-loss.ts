// Services that have endpoints in the kernel, but not in the desired state.

import type { Ledger } from '../plan/ledger.ts';
import { serviceOf } from '../syntax/element.ts';
import { roleOf } from './sets-and-maps.ts';

/** `lost` have endpoints in the kernel only, `present` in the desired state. The latter is 0 if none is lost. */
export interface EndpointLoss {
  readonly lost: number;
  readonly present: number;
}

export function endpointLoss(ledger: Pick<Ledger, 'changes' | 'owners'>): EndpointLoss {
  const lost = new Set<string>();
  for (const { installed, desired } of ledger.changes((object) => roleOf(object) === 'verdicts'))
    if (installed !== undefined && desired === undefined) lost.add(serviceOf(installed.comment));
  if (lost.size === 0) return { lost: 0, present: 0 };
  let present = 0;
  for (const [owner, elements] of ledger.owners()) {
    if (!elements.some(({ object }) => roleOf(object) === 'verdicts')) continue;
    lost.delete(owner);
    present++;
  }
  return { lost: lost.size, present };
}
