// What goes to the kernel, and in which portions.
import type { NodeView } from '../nftables/compile/node-view.ts';
import { allSetsAndMaps, roleOf } from '../nftables/compile/sets-and-maps.ts';
import type { Change } from '../nftables/plan/ledger.ts';
import {
  additions,
  countOperations,
  deletions,
  orderChanges,
  writeAddition,
  writeDeletion,
} from '../nftables/plan/order.ts';
import { addSetOrMap, addTable, type Operation, OperationLines } from '../nftables/syntax/operation.ts';
import type { ChainWrite } from './chain-state.ts';

/** What goes to the kernel together, all or none. Its operations are printed only when it goes: see {@link operationsOf}. */
export interface Transaction {
  /** Declarations of tables, sets and maps. */
  readonly declarations: readonly Operation[];
  readonly chains: readonly ChainWrite[];
  readonly changes: readonly Change[];
}

/** The operations of a transaction, in order: deletions first, for nft reads long lists of the same faster. */
export function operationsOf({ declarations, chains, changes }: Transaction): Operation[] {
  const operations = [...declarations];
  for (const chain of chains) operations.push(...chain.operations);
  for (const change of changes) operations.push(...deletions(change));
  for (const change of changes) operations.push(...additions(change));
  return operations;
}

/** The same as lines for nft, each operation on its own. */
export function linesOf({ declarations, chains, changes }: Transaction): string[] {
  const lines = new OperationLines();
  for (const { line } of declarations) lines.raw(line);
  for (const chain of chains) for (const { line } of chain.operations) lines.raw(line);
  for (const change of changes) writeDeletion(lines, change);
  for (const change of changes) writeAddition(lines, change);
  return lines.finish();
}

/**
 * Operations up to this many are one transaction. A larger load is cut into runs: nft needs 14 MB for one of these and
 * 600 MB for 250,000 at once, and the kernel holds its commit mutex no longer than one run takes.
 */
export const BATCH_SIZE = 5000;

/** The tables with all their sets and maps. */
export function declareTables({ families }: Pick<NodeView, 'families'>): Operation[] {
  const objects = allSetsAndMaps().filter(({ family }) => families.includes(family));
  return [...families.map(addTable), ...objects.map(addSetOrMap)];
}

/** What comes first and then these changes, step by step; all in one transaction where they are few, and none where there are none. */
export function inStages(first: Transaction, changes: Iterable<Change>): Transaction[][] {
  const steps = orderChanges(changes, ({ object }) => roleOf(object));
  const count = (step: readonly Change[]) => step.reduce((sum, change) => sum + countOperations(change), 0);
  const firstSize = operationsOf(first).length;
  const size = steps.reduce((sum, step) => sum + count(step), firstSize);
  if (size === 0) return [];
  if (size <= BATCH_SIZE) return [[{ ...first, changes: steps.flat() }]];
  return [...(firstSize > 0 ? [[first]] : []), ...steps.map(inBatches)];
}

/** Cuts a step into transactions of bounded size; what belongs to one change stays together. */
function inBatches(step: readonly Change[]): Transaction[] {
  const batches: Change[][] = [];
  let size = BATCH_SIZE;
  for (const change of step) {
    const operations = countOperations(change);
    if (size + operations > BATCH_SIZE) {
      batches.push([]);
      size = 0;
    }
    size += operations;
    batches.at(-1)?.push(change);
  }
  return batches.map((changes) => ({ declarations: [], chains: [], changes }));
}

/**
 * Whole runs of elements that are new to the kernel. What was loaded and has changed since has to wait: transactions of a
 * load may overtake each other.
 */
export function additionsInBatches(changes: Iterable<Change>): Transaction[] {
  const added = [...changes].filter(({ installed, desired }) => installed === undefined && desired !== undefined);
  return inBatches(added).slice(0, -1);
}
