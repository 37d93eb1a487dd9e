// Differences, put into the order in which they never break a packet's way.
import { addElement, deleteElement, type Operation, type OperationLines } from '../syntax/operation.ts';
import type { Change } from './ledger.ts';

/**
 * What an object is for decides when it changes. Slots come before the verdicts that lead to them, the inner of which a
 * flow meets only after another one, and verdicts before the refusals behind them; what goes away goes in the opposite
 * order.
 */
export type ChangeRole = 'slots' | 'inner-verdicts' | 'verdicts' | 'rejects';

const ROLES: readonly ChangeRole[] = ['slots', 'inner-verdicts', 'verdicts', 'rejects'];

/**
 * The steps from what the kernel holds to what is wanted; empty ones are left out. Between steps, and inside each, every
 * frontend works in the old way or in the new.
 */
export function orderChanges(changes: Iterable<Change>, roleOf: (change: Change) => ChangeRole): Change[][] {
  const steps = Array.from({ length: 2 * ROLES.length }, (): Change[] => []);
  // Prefixes that go make room for those that come: the kernel refuses one that overlaps another.
  const intervalDeletions = ROLES.map((): Change[] => []);
  for (const change of changes) {
    const rank = ROLES.indexOf(roleOf(change));
    const isIntervalDeletion = change.desired === undefined && change.object.interval;
    const step = change.desired === undefined && !isIntervalDeletion ? 2 * ROLES.length - 1 - rank : rank;
    (isIntervalDeletion ? intervalDeletions : steps)[step]?.push(change);
  }
  return steps.map((step, index) => [...(intervalDeletions[index] ?? []), ...step]).filter((step) => step.length > 0);
}

/** How many operations a change takes. */
export function countOperations({ installed, desired }: Change): number {
  return (installed === undefined ? 0 : 1) + (desired === undefined ? 0 : 1);
}

/** What a change takes away. A key that is there cannot be added with other data: it is deleted first, and in the same transaction. */
export function deletions({ object, key, installed, desired }: Change): Operation[] {
  return installed === undefined ? [] : [deleteElement(object, key, desired?.owner ?? '')];
}

/** What a change adds. */
export function additions({ desired }: Change): Operation[] {
  return desired === undefined ? [] : [addElement(desired)];
}

/** The same as {@link deletions}, on a page with others. */
export function writeDeletion(lines: OperationLines, { object, key, installed }: Change): void {
  if (installed !== undefined) lines.delete(object, key);
}

/** The same as {@link additions}, on a page with others. */
export function writeAddition(lines: OperationLines, { desired }: Change): void {
  if (desired !== undefined) lines.add(desired);
}
