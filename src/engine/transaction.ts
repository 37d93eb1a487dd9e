// Transactions: the operations of a sync, in batches of bounded size.

import type { Steps } from '../lib/steps.ts';
import { FAMILIES } from '../net/family.ts';
import type { NodeView } from '../nftables/compile/node-view.ts';
import { allSetsAndMaps, lastTransaction, roleOf } from '../nftables/compile/sets-and-maps.ts';
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
import type { ChainWrite } from './chains/chain-state.ts';

/** Operations that are applied atomically. They are printed when they are sent: see {@link linesOf}. */
export interface Transaction {
  /** Declarations of tables, sets and maps. */
  readonly declarations: readonly Operation[];
  readonly chains: readonly ChainWrite[];
  readonly changes: readonly Change[];
}

/** The operations in order: deletions before additions, because nft reads long runs of equal commands faster. */
export function operationsOf({ declarations, chains, changes }: Transaction): Operation[] {
  const operations = [...declarations];
  for (const chain of chains) operations.push(...chain.operations);
  for (const change of changes) operations.push(...deletions(change));
  for (const change of changes) operations.push(...additions(change));
  return operations;
}

/** The same operations as lines of an nft script, one operation per line. */
export function linesOf({ declarations, chains, changes }: Transaction): string[] {
  const lines = new OperationLines();
  for (const { line } of declarations) lines.raw(line);
  for (const chain of chains) for (const { line } of chain.operations) lines.raw(line);
  for (const change of changes) writeDeletion(lines, change);
  for (const change of changes) writeAddition(lines, change);
  return lines.finish();
}

/**
 * The maximum number of operations in a transaction. nft needs 14 MB for this many and 600 MB for 250,000, and
 * the kernel holds its commit mutex for the whole transaction.
 */
export const BATCH_SIZE = 5000;

/** Declares the tables with all their sets and maps. */
export function declareTables({ families }: Pick<NodeView, 'families'>): Operation[] {
  const objects = [...allSetsAndMaps(), ...FAMILIES.map(lastTransaction)].filter(({ family }) =>
    families.includes(family),
  );
  return [...families.map(addTable), ...objects.map(addSetOrMap)];
}

/**
 * The stages that apply `first` and then these changes step by step: one transaction if all fit into it, none if there
 * is nothing to do.
 */
export function* inStages(first: Transaction, changes: Iterable<Change>): Steps<Transaction[][]> {
  const steps = yield* orderChanges(changes, ({ object }) => roleOf(object));
  const count = (step: readonly Change[]) => step.reduce((sum, change) => sum + countOperations(change), 0);
  const firstSize = operationsOf(first).length;
  const size = steps.reduce((sum, step) => sum + count(step), firstSize);
  if (size === 0) return [];
  if (size <= BATCH_SIZE) return [[{ ...first, changes: steps.flat() }]];
  return [...(firstSize > 0 ? [[first]] : []), ...steps.map(inBatches)];
}

/** Splits a step into transactions of bounded size. The operations of a change stay together. */
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
 * Full batches of elements that are new to the kernel. Elements that were loaded and then changed have to wait, because
 * the transactions of a load may overtake each other.
 */
export function additionsInBatches(changes: Iterable<Change>): Transaction[] {
  const added = [...changes].filter(({ installed, desired }) => installed === undefined && desired !== undefined);
  return inBatches(added).slice(0, -1);
}
