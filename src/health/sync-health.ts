// Whether the daemon keeps the kernel up to date, judged by what it says of its syncs.

import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Clock } from '../host/clock.ts';

/** As kube-proxy has it: twice the time after which it tries a sync again that failed, a minute by default. */
export function staleAfterMs({ syncPeriodMs }: { readonly syncPeriodMs: number }): number {
  return 2 * syncPeriodMs;
}

const DEFAULT_TIMEOUT_MS = staleAfterMs({ syncPeriodMs: 30_000 });

export interface SyncHealthOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** How long something may wait to be in the kernel. */
  readonly timeoutMs?: number;
}

/**
 * Healthy as long as nothing waits longer than the timeout: neither a change, nor a sync that failed, whether or not
 * anything changed before it. What arrives before Services and EndpointSlices are all known does not count: a slow API
 * server is not mended by a restart of this daemon.
 */
export class SyncHealth implements SyncObserver {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #timeoutMs: number;
  #listed = false;
  #lastSynced: number | undefined;
  /** Since when something waits, and when the first thing came that the sync under way does not bring in. */
  #pending: { readonly since: number; readonly newest: number } | undefined;

  constructor({ clock, timeoutMs = DEFAULT_TIMEOUT_MS }: SyncHealthOptions) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  get healthy(): boolean {
    return this.#pending === undefined || this.#clock.now() - this.#pending.since < this.#timeoutMs;
  }

  /** When a sync last succeeded, in milliseconds since 1970; `undefined` as long as the kernel has not got everything once. */
  get lastSynced(): number | undefined {
    return this.#lastSynced;
  }

  listed(at: number): void {
    this.#listed = true;
    this.queued(at);
  }

  queued(at: number): void {
    if (this.#listed) this.#pending = { since: this.#pending?.since ?? at, newest: at };
  }

  committed({ at, times: { startedAt } }: Pick<Commit, 'at' | 'times'>): void {
    this.#lastSynced = at;
    const newest = this.#pending?.newest ?? startedAt;
    this.#pending = newest > startedAt ? { since: newest, newest } : undefined;
  }

  failed(): void {
    const now = this.#clock.now();
    this.#pending ??= { since: now, newest: now };
  }
}
