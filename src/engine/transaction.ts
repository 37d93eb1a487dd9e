// What goes to the kernel in one piece.
import type { Operation } from '../nft/operation.ts';
import type { Change } from '../plan/ledger.ts';
import { appendLines, toOperations } from '../plan/order.ts';
import type { ChainWrite } from './chain-book.ts';

/** What goes to the kernel together, all or none. Its operations are printed only when it goes: see {@link operationsOf}. */
export interface Transaction {
  /** Declarations of tables, sets and maps. */
  readonly declarations: readonly Operation[];
  readonly chains: readonly ChainWrite[];
  readonly changes: readonly Change[];
}

/** The operations of a transaction, in order. */
export function operationsOf({ declarations, chains, changes }: Transaction): Operation[] {
  const operations = [...declarations];
  for (const chain of chains) operations.push(...chain.operations);
  for (const change of changes) operations.push(...toOperations(change));
  return operations;
}

/** The lines of {@link operationsOf} alone: a load of a hundred thousand needs no more. */
export function linesOf({ declarations, chains, changes }: Transaction): string[] {
  const lines = [...declarations, ...chains.flatMap((chain) => chain.operations)].map((operation) => operation.line);
  for (const change of changes) appendLines(lines, change);
  return lines;
}
