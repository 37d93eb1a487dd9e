// Orders the changes of a sync so that no packet is lost in between.

import { inSteps, type Steps } from '../../lib/steps.ts';
import { addElement, deleteElement, type Operation, type OperationLines } from '../syntax/operation.ts';
import type { Change } from './ledger.ts';

/**
 * The purpose of a set or map, which decides when its elements change. Slots are added before the verdicts that use
 * them, inner verdicts (which a flow reaches through another verdict) before the others, and all before `rejects`.
 * Deletions have the opposite order.
 */
export type ChangeRole = 'slots' | 'inner-verdicts' | 'verdicts' | 'rejects';

const ROLES: readonly ChangeRole[] = ['slots', 'inner-verdicts', 'verdicts', 'rejects'];

/**
 * The steps from the installed to the desired elements, without empty ones. Between steps, and within each, every
 * frontend works either as before or as desired.
 */
export function* orderChanges(changes: Iterable<Change>, roleOf: (change: Change) => ChangeRole): Steps<Change[][]> {
  const steps = Array.from({ length: 2 * ROLES.length }, (): Change[] => []);
  // Prefixes are deleted before others are added: the kernel refuses overlapping ones.
  const intervalDeletions = ROLES.map((): Change[] => []);
  yield* inSteps(changes, (change) => {
    const rank = ROLES.indexOf(roleOf(change));
    const isIntervalDeletion = change.desired === undefined && change.object.interval;
    const step = change.desired === undefined && !isIntervalDeletion ? 2 * ROLES.length - 1 - rank : rank;
    (isIntervalDeletion ? intervalDeletions : steps)[step]?.push(change);
  });
  return steps.map((step, index) => [...(intervalDeletions[index] ?? []), ...step]).filter((step) => step.length > 0);
}

/** The number of operations that a change consists of. */
export function countOperations({ installed, desired }: Change): number {
  return (installed === undefined ? 0 : 1) + (desired === undefined ? 0 : 1);
}

/** The deletion in a change: an installed key must be deleted before it can be added with another value. */
export function deletions({ object, key, installed, desired }: Change): Operation[] {
  return installed === undefined ? [] : [deleteElement(object, key, desired?.owner ?? '')];
}

/** The addition in a change. */
export function additions({ desired }: Change): Operation[] {
  return desired === undefined ? [] : [addElement(desired)];
}

/** Prints {@link deletions}. */
export function writeDeletion(lines: OperationLines, { object, key, installed }: Change): void {
  if (installed !== undefined) lines.delete(object, key);
}

/** Prints {@link additions}. */
export function writeAddition(lines: OperationLines, { desired }: Change): void {
  if (desired !== undefined) lines.add(desired);
}
