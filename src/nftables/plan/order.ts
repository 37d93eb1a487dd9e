// Differences, put into the order in which they never break a packet's way.
import { addElement, deleteElement, type Operation, type OperationLines } from '../syntax/operation.ts';
import type { Change } from './ledger.ts';

/**
 * What an object is for decides when it changes. Slots come before the verdicts that lead to them, the inner of which a
 * flow meets only after another one, and verdicts before the refusals behind them; what goes away goes in the opposite
 * order.
 */
export type Role = 'slots' | 'inner-verdicts' | 'verdicts' | 'refusals';

const ROLES: readonly Role[] = ['slots', 'inner-verdicts', 'verdicts', 'refusals'];

/**
 * The steps from what the kernel holds to what is wanted; empty ones are left out. Between steps, and inside each, every
 * frontend works in the old way or in the new.
 */
export function orderChanges(changes: Iterable<Change>, roleOf: (change: Change) => Role): Change[][] {
  const steps = Array.from({ length: 2 * ROLES.length }, (): Change[] => []);
  // Prefixes that go make room for those that come: the kernel refuses one that overlaps another.
  const roomMakers = ROLES.map((): Change[] => []);
  for (const change of changes) {
    const rank = ROLES.indexOf(roleOf(change));
    const goesFirst = change.wanted === undefined && change.object.interval;
    const step = change.wanted === undefined && !goesFirst ? 2 * ROLES.length - 1 - rank : rank;
    (goesFirst ? roomMakers : steps)[step]?.push(change);
  }
  return steps.map((step, index) => [...(roomMakers[index] ?? []), ...step]).filter((step) => step.length > 0);
}

/** How many operations a change takes. */
export function countOperations({ held, wanted }: Change): number {
  return (held === undefined ? 0 : 1) + (wanted === undefined ? 0 : 1);
}

/** What a change takes away. A key that is there cannot be added with other data: it is deleted first, and in the same transaction. */
export function deletions({ object, key, held, wanted }: Change): Operation[] {
  return held === undefined ? [] : [deleteElement(object, key, wanted?.owner ?? '')];
}

/** What a change adds. */
export function additions({ wanted }: Change): Operation[] {
  return wanted === undefined ? [] : [addElement(wanted)];
}

/** The same as {@link deletions}, on a page with others. */
export function writeDeletion(page: OperationLines, { object, key, held }: Change): void {
  if (held !== undefined) page.delete(object, key);
}

/** The same as {@link additions}, on a page with others. */
export function writeAddition(page: OperationLines, { wanted }: Change): void {
  if (wanted !== undefined) page.add(wanted);
}
