// What a failed attempt means for the next one.

import { Backoff } from '../../lib/backoff.ts';
import { ApiError, type ConnectionError } from './client/api-error.ts';

export interface Verdict {
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;
  /** There is no going on from the version that a watch had come to: a list is due. */
  readonly isGone: boolean;
  /** Whether it is worth a complaint; a version that is gone is not, the first time. */
  readonly isProblem: boolean;
}

/** Decides when to try again. A watch that worked makes everything before it forgotten. */
export class Recovery {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #isRelisting = false;
  #hasWorked = false;

  constructor(random: () => number) {
    this.#random = random;
    this.#backoff = new Backoff(random);
  }

  /** Whether the current attempt was of use. */
  get hasWorked(): boolean {
    return this.#hasWorked;
  }

  /** A new attempt begins. */
  begin(): void {
    this.#hasWorked = false;
  }

  /** The current attempt was of use: however it ends, the next one may follow at once. */
  worked(): void {
    this.#hasWorked = true;
    this.#isRelisting = false;
    this.#backoff.reset();
  }

  /** `resourceVersion` is where the failed attempt wanted to go on from, empty when it was to list. */
  assess(error: ApiError | ConnectionError, resourceVersion: string): Verdict {
    const isGone = error instanceof ApiError && hasGone(error, resourceVersion);
    const isProblem = !isGone || this.#isRelisting;
    return { isGone, isProblem, delayMs: this.#delay(error, isGone) };
  }

  /** Keeps nodes apart that were told the same time. */
  spread(ms: number): number {
    return Math.round(ms * (1 + 0.1 * this.#random()));
  }

  #delay(error: ApiError | ConnectionError, isGone: boolean): number {
    if (isGone) {
      // Gone again straight after a list: it is the server that has a problem, and patience is due.
      if (this.#isRelisting) return this.#backoff.next();
      this.#isRelisting = true;
      return 0;
    }
    if (!(error instanceof ApiError)) return this.#hasWorked ? 0 : this.#backoff.next();
    return error.retryAfterMs ? this.spread(error.retryAfterMs) : this.#backoff.next();
  }
}

/**
 * Too old (410); or the server turns the version down altogether, because it is of another cluster or newer than anything
 * the server has, as after a restore from a backup.
 */
function hasGone({ status, message }: ApiError, resourceVersion: string): boolean {
  if (status === 410) return true;
  const isTurnedDown = status === 400 || status === 422 || message.includes('Too large resource version');
  return resourceVersion !== '' && isTurnedDown;
}
