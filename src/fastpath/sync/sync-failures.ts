// Passes of work that fail: since when, how often, and what is said of it.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';

/** Passes of work that have failed in a row. */
export interface SyncFailure {
  /** Why the last of them failed. */
  readonly reason: string;
  /** When the first of them failed, in ISO 8601. */
  readonly since: string;
  readonly attempts: number;
}

/** Counts failures. The log hears of the first in a row, of each new reason, and of the end. */
export class SyncFailures {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'now'>;
  #failing: SyncFailure | undefined;
  #failures = 0;

  constructor(of: { readonly log: Log; readonly clock: Pick<Clock, 'now'> }) {
    this.#log = of.log;
    this.#clock = of.clock;
  }

  /** `undefined` when the last pass succeeded. */
  get failing(): SyncFailure | undefined {
    return this.#failing;
  }

  /** All that there were. */
  get failures(): number {
    return this.#failures;
  }

  failed(reason: string, retryInMs: number): void {
    const before = this.#failing;
    this.#failures++;
    const since = before?.since ?? new Date(this.#clock.now()).toISOString();
    this.#failing = { reason, since, attempts: (before?.attempts ?? 0) + 1 };
    if (before?.reason !== reason)
      this.#log.warn('the fast path cannot be kept in step; what is attached goes on', { reason, retryInMs });
  }

  succeeded(): void {
    if (this.#failing === undefined) return;
    const { since, attempts } = this.#failing;
    this.#failing = undefined;
    this.#log.info('the fast path is in step again', { since, attempts });
  }
}
