// Sessions for large transactions: as many as go at the same time, gone soon after the load.
import { NftOutcomeUnknown } from './nft-error.ts';
import { NftSession } from './nft-session.ts';

/** A load of 100,000 elements pauses for less between its transactions. */
const IDLE_MS = 1000;

/**
 * Why not a process for each: starting one from a large process, and waiting for its end, takes 15 ms, and a load of
 * 100,000 elements is two dozen transactions. Why they end: nft keeps the memory that its largest transaction took.
 */
export class SessionPool {
  readonly #options: { readonly command: string; readonly timeoutMs: number };
  readonly #idle: NftSession[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { command: string; timeoutMs: number }) {
    this.#options = options;
  }

  /** Applies the lines as one transaction, beside others. Throws what {@link NftSession.apply} throws. */
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

  /** Ends the sessions that do nothing. */
  close(): void {
    clearTimeout(this.#timer);
    for (const session of this.#idle.splice(0)) session.close();
  }
}
