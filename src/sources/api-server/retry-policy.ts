// What a failed attempt means for the next one.

import { Backoff } from '../../lib/backoff.ts';
import { ApiError, type ConnectionError } from './client/api-error.ts';

export interface RetryDecision {
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;
  /** There is no going on from the version that a watch had come to: a list is due. */
  readonly isExpired: boolean;
  /** Whether it is worth a complaint; a version that is gone is not, the first time. */
  readonly shouldReport: boolean;
}

/** Decides when to try again. A watch that worked makes everything before it forgotten. */
export class RetryPolicy {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #isRelisting = false;
  #hasSucceeded = false;

  constructor(random: () => number) {
    this.#random = random;
    this.#backoff = new Backoff({ random });
  }

  /** Whether the current attempt was of use. */
  get hasSucceeded(): boolean {
    return this.#hasSucceeded;
  }

  /** A new attempt begins. */
  startAttempt(): void {
    this.#hasSucceeded = false;
  }

  /** The current attempt was of use: however it ends, the next one may follow at once. */
  succeeded(): void {
    this.#hasSucceeded = true;
    this.#isRelisting = false;
    this.#backoff.reset();
  }

  /** `resourceVersion` is where the failed attempt wanted to go on from, empty when it was to list. */
  decide(error: ApiError | ConnectionError, resourceVersion: string): RetryDecision {
    const isExpired = error instanceof ApiError && isVersionExpired(error, resourceVersion);
    const shouldReport = !isExpired || this.#isRelisting;
    return { isExpired, shouldReport, delayMs: isExpired ? this.#relistDelay() : this.#retryDelay(error) };
  }

  /** Keeps nodes apart that were told the same time. */
  addJitter(ms: number): number {
    return Math.round(ms * (1 + 0.1 * this.#random()));
  }

  /** The first relist is immediate. If the version it returned has expired too, the server has a problem. */
  #relistDelay(): number {
    if (this.#isRelisting) return this.#backoff.next();
    this.#isRelisting = true;
    return 0;
  }

  #retryDelay(error: ApiError | ConnectionError): number {
    if (!(error instanceof ApiError)) return this.#hasSucceeded ? 0 : this.#backoff.next();
    return error.retryAfterMs ? this.addJitter(error.retryAfterMs) : this.#backoff.next();
  }
}

/**
 * Too old (410); or the server turns the version down altogether, because it is of another cluster or newer than anything
 * the server has, as after a restore from a backup.
 */
function isVersionExpired({ status, message }: ApiError, resourceVersion: string): boolean {
  if (status === 410) return true;
  const isRejected = status === 400 || status === 422 || message.includes('Too large resource version');
  return resourceVersion !== '' && isRejected;
}
