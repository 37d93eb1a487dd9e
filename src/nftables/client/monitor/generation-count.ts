// Finds transactions that were not notified, by the kernel's numbers of transactions and by ours.

import type { OwnTransactions } from '../transaction-marker.ts';

/** A transaction that was notified. `number` is ours: each transaction that this process sends has the next one. */
type NotifiedTransaction =
  | { readonly kind: 'own'; readonly generation: number; readonly number: number }
  | { readonly kind: 'foreign' | 'other'; readonly generation: number };

interface Own {
  readonly generation: number;
  readonly number: number;
  readonly failures: number;
}

/**
 * The kernel numbers the transactions of all processes in a network namespace without gaps (nf_tables_commit). While
 * notifications are read, a gap in its numbers is a transaction that was missed; after a pause, one that is neither ours
 * nor was read. Ours are counted by their numbers when all of them have ended: transactions that run at the same time are
 * not committed in the order of their numbers. If nft fails after a commit, one too many is found.
 */
export class GenerationCount {
  readonly #sent: () => OwnTransactions;
  #last: number | undefined;
  #own: Own | undefined;
  /** Transactions of other processes since `#own`. */
  #others = 0;
  #isPaused = false;

  constructor(sent: () => OwnTransactions) {
    this.#sent = sent;
  }

  /** Notifications are missing, and the caller knows. */
  reset(): void {
    this.#last = undefined;
    this.#own = undefined;
    this.#isPaused = false;
  }

  /** Notifications are not read from now on; the caller does not know whether any will be missing. */
  pause(): void {
    this.#last = undefined;
    this.#isPaused = true;
  }

  /** Takes the next transaction. Returns whether one before it was missed. */
  observe(transaction: NotifiedTransaction): boolean {
    const { generation } = transaction;
    const isMissing = this.#last !== undefined && distance(this.#last, generation) !== 1;
    if (isMissing) this.reset();
    this.#last = generation;
    if (transaction.kind !== 'own') this.#others++;
    const { failures, alone } = this.#sent();
    if (transaction.kind !== 'own' || transaction.number !== alone) return isMissing;
    return this.#observeAlone({ generation, number: alone, failures }) || isMissing;
  }

  #observeAlone(own: Own): boolean {
    const [before, others, wasPaused] = [this.#own, this.#others, this.#isPaused];
    if (before !== undefined && !wasPaused) return false;
    this.#own = own;
    this.#others = 0;
    this.#isPaused = false;
    // The pause began before there was a number to count from: whether anything was missed is not known.
    if (before === undefined) return wasPaused;
    const ours = own.number - before.number - (own.failures - before.failures);
    return distance(before.generation, own.generation) !== ours + others;
  }
}

/** From one generation to a later one, which wraps at 2^32. */
function distance(from: number, to: number): number {
  return (to - from) >>> 0;
}
