// Differences, put into the order in which they never break a packet's way.
import { addElement, deleteElement, type Operation } from '../nft/operation.ts';
import type { Change } from './ledger.ts';

/**
 * What an object is for decides when it changes. Slots come before the verdicts that lead to them, and verdicts before
 * the refusals behind them; what goes away goes in the opposite order.
 */
export type Role = 'slots' | 'verdicts' | 'refusals';

/** A change with the operations that make it; those stay in one transaction. */
export interface Entry {
  readonly change: Change;
  readonly operations: readonly Operation[];
}

const ORDER: readonly { readonly adds: boolean; readonly role: Role }[] = [
  { adds: true, role: 'slots' },
  { adds: true, role: 'verdicts' },
  { adds: true, role: 'refusals' },
  { adds: false, role: 'refusals' },
  { adds: false, role: 'verdicts' },
  { adds: false, role: 'slots' },
];

/**
 * The steps from what the kernel holds to what is wanted; empty ones are left out. Between steps, and inside each, every
 * frontend works in the old way or in the new.
 */
export function orderChanges(changes: Iterable<Change>, roleOf: (change: Change) => Role): Entry[][] {
  const steps = ORDER.map((): Entry[] => []);
  for (const change of changes) {
    const role = roleOf(change);
    const adds = change.wanted !== undefined;
    steps[ORDER.findIndex((step) => step.role === role && step.adds === adds)]?.push({
      change,
      operations: toOperations(change),
    });
  }
  return steps.filter((step) => step.length > 0);
}

/** A key that is there cannot be added with other data: the kernel wants it deleted first, in the same transaction. */
function toOperations({ object, key, held, wanted }: Change): Operation[] {
  const owner = wanted?.owner ?? '';
  return [
    ...(held === undefined ? [] : [deleteElement(object, key, owner)]),
    ...(wanted === undefined ? [] : [addElement(wanted)]),
  ];
}
