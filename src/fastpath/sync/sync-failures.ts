// Counts and logs syncs of the fast path that fail.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';

/** Syncs that failed in a row. */
export interface SyncFailure {
  /** The latest error. */
  readonly reason: string;
  /** Time of the first failure, in ISO 8601. */
  readonly since: string;
  readonly attempts: number;
}

/** Logs the first failure in a row, each new reason, and the recovery. */
export class SyncFailures {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'now' | 'wallTime'>;
  #failing: SyncFailure | undefined;
  #failures = 0;

  constructor(options: { readonly log: Log; readonly clock: Pick<Clock, 'now' | 'wallTime'> }) {
    this.#log = options.log;
    this.#clock = options.clock;
  }

  /** `undefined` if the last sync succeeded. */
  get failing(): SyncFailure | undefined {
    return this.#failing;
  }

  /** Failures since the daemon started. */
  get failures(): number {
    return this.#failures;
  }

  failed(reason: string, retryInMs: number): void {
    const before = this.#failing;
    this.#failures++;
    const since = before?.since ?? new Date(this.#clock.wallTime(this.#clock.now())).toISOString();
    this.#failing = { reason, since, attempts: (before?.attempts ?? 0) + 1 };
    if (before?.reason !== reason)
      this.#log.warn('fast path out of sync; attached programs keep running', { reason, retryInMs });
  }

  succeeded(): void {
    if (this.#failing === undefined) return;
    const { since, attempts } = this.#failing;
    this.#failing = undefined;
    this.#log.info('fast path in sync again', { since, attempts });
  }
}
