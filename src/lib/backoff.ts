// How long to wait before the next attempt when attempts fail in a row.

const MIN_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;

/** Doubles from 100 ms to 30 s. The upper half of each step is random, so that nodes that failed together come back apart. */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Counts a failure; gives the milliseconds to wait. */
  next(): number {
    const step = Math.min(MIN_DELAY_MS * 2 ** this.#failures, MAX_DELAY_MS);
    this.#failures++;
    return Math.max(MIN_DELAY_MS, Math.round(step * (0.5 + this.#random() / 2)));
  }

  reset(): void {
    this.#failures = 0;
  }
}
