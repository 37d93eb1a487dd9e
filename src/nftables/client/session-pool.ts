// A pool of nft sessions for large transactions, one per concurrent transaction; idle sessions end.

import { NftOutcomeUnknown } from './nft-error.ts';
import { NftSession } from './nft-session.ts';

/** Longer than the pauses between the transactions of a load of 100,000 elements. */
const IDLE_MS = 1000;

/**
 * Why not a process per transaction: starting one from a large process and waiting for its exit takes 15 ms, and a load
 * of 100,000 elements has two dozen transactions. Why sessions end: nft keeps the memory of its largest transaction.
 */
export class SessionPool {
  readonly #options: { readonly command: string; readonly timeoutMs: number };
  readonly #idle: NftSession[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { command: string; timeoutMs: number }) {
    this.#options = options;
  }

  /** Applies the script as one transaction; may run concurrently. Throws the errors of {@link NftSession.apply}. */
  async apply(text: string): Promise<void> {
    clearTimeout(this.#timer);
    const session = this.#idle.pop() ?? new NftSession(this.#options);
    try {
      await session.apply(text);
    } catch (error) {
      if (error instanceof NftOutcomeUnknown) session.close();
      else this.#idle.push(session);
      throw error;
    } finally {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.close(), IDLE_MS).unref();
    }
    this.#idle.push(session);
  }

  /** Ends the idle sessions. */
  close(): void {
    clearTimeout(this.#timer);
    for (const session of this.#idle.splice(0)) session.close();
  }
}
