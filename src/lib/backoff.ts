// The wait before the next attempt when attempts fail in a row.

interface BackoffOptions {
  /** The first wait. */
  readonly minMs?: number;
  readonly maxMs?: number;
  /** From 0 up to 1. Makes the upper half of each wait random, so that nodes that failed together retry at different times. */
  readonly random?: (() => number) | undefined;
}

const MIN_MS = 100;
const MAX_MS = 30_000;

/** Waits double from `minMs` to `maxMs`. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions = {}) {
    this.#options = options;
  }

  /** Counts a failure. Returns the milliseconds to wait. */
  next(): number {
    return backoffMs(this.#failures++, this.#options);
  }

  /** Makes the next wait the first one again. */
  reset(): void {
    this.#failures = 0;
  }
}

/** The wait in milliseconds after a failure that follows `failures` others in a row. */
export function backoffMs(failures: number, { minMs = MIN_MS, maxMs = MAX_MS, random }: BackoffOptions = {}): number {
  const step = Math.min(minMs * 2 ** failures, maxMs);
  return random === undefined ? step : Math.max(minMs, Math.round(step * (0.5 + random() / 2)));
}
