// Decides when and how a reflector retries.

import { Backoff } from '../../lib/backoff.ts';
import { ApiError, type ConnectionError, EventFloodError } from './client/api-error.ts';

interface RetryDecision {
  /** The delay before the next attempt. */
  readonly delayMs: number;
  /** The watch cannot continue from its version; a list is necessary. */
  readonly isExpired: boolean;
  /** Whether to log the failure. The first expired version is expected. */
  readonly shouldReport: boolean;
}

/** While a server floods its watches, each one costs processor time. */
const FLOOD_RETRY_MS = 10_000;

/** A successful watch resets it. */
export class RetryPolicy {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #isRelisting = false;
  #hasSucceeded = false;
  #hasLasted = false;
  /** Delays attempts that succeed and fail immediately, again and again. */
  readonly #shortBackoff: Backoff;
  #shortAttempts = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.#backoff = new Backoff({ random });
    this.#shortBackoff = new Backoff({ random });
  }

  /** Whether the current attempt succeeded. */
  get hasSucceeded(): boolean {
    return this.#hasSucceeded;
  }

  /** A new attempt begins. */
  startAttempt(): void {
    this.#hasSucceeded = false;
    this.#hasLasted = false;
  }

  /** The watch of the current attempt has been open for some time. */
  lasted(): void {
    this.#hasLasted = true;
    this.#shortAttempts = 0;
    this.#shortBackoff.reset();
  }

  /** Whether the server ends a watch that has just begun, again. */
  isShortAgain(): boolean {
    return !this.#hasLasted && this.#shortAttempts > 0;
  }

  /** The current attempt ended without an error. */
  ended(): void {
    this.#quickDelay();
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
    return this.#quickDelay();
  }

  /** No delay after a watch that lasted, or once after a short one. */
  #quickDelay(): number {
    if (this.#hasLasted) return 0;
    return this.#shortAttempts++ === 0 ? 0 : this.#shortBackoff.next();
  }

  #retryDelay(error: ApiError | ConnectionError): number {
    if (error instanceof EventFloodError) return this.addJitter(FLOOD_RETRY_MS);
    if (!(error instanceof ApiError)) return this.#hasSucceeded ? this.#quickDelay() : this.#backoff.next();
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
