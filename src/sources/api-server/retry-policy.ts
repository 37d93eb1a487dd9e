// Decides when and how a reflector retries.

import { Backoff } from '../../lib/backoff.ts';
import { ApiError, type ConnectionError } from './client/api-error.ts';

interface RetryDecision {
  /** The delay before the next attempt. */
  readonly delayMs: number;
  /** The watch cannot continue from its version; a list is necessary. */
  readonly isExpired: boolean;
  /** Whether to log the failure. The first expired version is expected. */
  readonly shouldReport: boolean;
}

/** A successful watch resets it. */
export class RetryPolicy {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #isRelisting = false;
  #hasSucceeded = false;

  constructor(random: () => number) {
    this.#random = random;
    this.#backoff = new Backoff({ random });
  }

  /** Whether the current attempt succeeded. */
  get hasSucceeded(): boolean {
    return this.#hasSucceeded;
  }

  /** A new attempt begins. */
  startAttempt(): void {
    this.#hasSucceeded = false;
  }

  /** The current attempt succeeded: the next one may follow immediately, however this one ends. */
  succeeded(): void {
    this.#hasSucceeded = true;
    this.#isRelisting = false;
    this.#backoff.reset();
  }

  /** `resourceVersion` is the one from which the failed attempt continued; empty for a list. */
  decide(error: ApiError | ConnectionError, resourceVersion: string): RetryDecision {
    const isExpired = error instanceof ApiError && isVersionExpired(error, resourceVersion);
    const shouldReport = !isExpired || this.#isRelisting;
    return { isExpired, shouldReport, delayMs: isExpired ? this.#relistDelay() : this.#retryDelay(error) };
  }

  /** Spreads the retries of nodes that received the same delay. */
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
 * The version is too old (410), or the server rejects it as one of another cluster or newer than its own, such as after a
 * restore from a backup.
 */
function isVersionExpired({ status, message }: ApiError, resourceVersion: string): boolean {
  if (status === 410) return true;
  const isRejected = status === 400 || status === 422 || message.includes('Too large resource version');
  return resourceVersion !== '' && isRejected;
}
