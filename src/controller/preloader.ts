// Loads endpoints into an empty kernel while objects are still arriving. No packet uses them yet; it shortens the start.

import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Engine } from '../engine/engine.ts';
import { linesOf, type Transaction } from '../engine/transaction.ts';
import { MAX_PARALLEL_TRANSACTIONS, type RulesetClient } from './sync.ts';

/** Services compiled at a time, about 10 ms of work: in between, objects arrive and transactions start. */
const CHUNK_SIZE = 250;

/** Keeps nft busy while this process reads and compiles. If it fails, a sync does all the work from a listing. */
export class Preloader {
  readonly #engine: Engine;
  readonly #nftClient: RulesetClient;
  readonly #queue: Transaction[] = [];
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor({ engine, nftClient }: { engine: Engine; nftClient: RulesetClient }) {
    this.#engine = engine;
    this.#nftClient = nftClient;
  }

  /** Compiles what has arrived and starts loading it, without waiting. Throws the first error so far. */
  async advance(): Promise<void> {
    if (!this.#engine.isKernelKnown) this.#engine.adopt(await this.#nftClient.list());
    for (;;) {
      const { transactions, more } = this.#engine.preload(CHUNK_SIZE);
      for (const transaction of transactions) {
        if (transaction.declarations.length > 0) await this.#nftClient.apply(linesOf(transaction));
        else this.#queue.push(transaction);
      }
      this.#startNext();
      if (this.#failure !== undefined) throw this.#failure.error;
      if (!more) return;
      await yieldToEventLoop();
    }
  }

  /** Waits for all transactions, also after an error, so that none reaches the kernel later. Throws the first error. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running);
    await this.#nftClient.confirm?.().catch((error: unknown) => {
      this.#failure ??= { error };
    });
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  #startNext(): void {
    while (this.#running.size < MAX_PARALLEL_TRANSACTIONS) {
      const transaction = this.#queue.shift();
      if (transaction === undefined) return;
      const run = this.#run(transaction).finally(() => {
        this.#running.delete(run);
        this.#startNext();
      });
      this.#running.add(run);
    }
  }

  async #run(transaction: Transaction): Promise<void> {
    try {
      await this.#nftClient.apply(linesOf(transaction), { confirmation: 'later' });
    } catch (error) {
      this.#failure ??= { error };
      this.#queue.length = 0;
    }
  }
}
