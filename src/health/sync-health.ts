// Whether syncs keep the kernel up to date.

import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Clock } from '../host/clock.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { SyncStatus } from './sync-status.ts';

/** Twice the sync period, as in kube-proxy: a minute by default. */
export function staleAfterMs({ syncPeriodMs }: { readonly syncPeriodMs: number }): number {
  return 2 * syncPeriodMs;
}

/**
 * How long a change may wait while syncs fail. Attempts follow within seconds, so that a load balancer need not wait for the
 * timeout of kube-proxy, which has to cover the longest sync, too.
 */
const FAILING_TIMEOUT_MS = 10_000;

const DEFAULT_TIMEOUT_MS = staleAfterMs({ syncPeriodMs: 30_000 });

export interface SyncHealthOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** How long a change may wait for the kernel. */
  readonly timeoutMs?: number;
}

/**
 * Healthy while neither a change nor a failed sync waits longer than the timeout; up to date while syncs do not fail for
 * longer than a few attempts, either. Changes that arrive before Services and EndpointSlices are complete do not count: a
 * restart of the daemon does not help against a slow API server.
 */
export class SyncHealth implements SyncObserver {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #timeoutMs: number;
  #hasListed = false;
  #lastSynced: number | undefined;
  /** When the oldest waiting change arrived, and when the first one arrived that a running sync does not include. */
  #pending: { readonly since: number; readonly newest: number } | undefined;

  #commits = 0;
  #failure: { readonly since: number; readonly at: number; readonly reason: string } | undefined;

  constructor({ clock, timeoutMs = DEFAULT_TIMEOUT_MS }: SyncHealthOptions) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Nothing waits so long that a restart may help. */
  get isHealthy(): boolean {
    return this.#waitingMs < this.#timeoutMs;
  }

  /** The node may receive new traffic: also syncs that fail do not keep a change from the kernel for long. */
  get isUpToDate(): boolean {
    return this.isHealthy && (this.#failure === undefined || this.#waitingMs < FAILING_TIMEOUT_MS);
  }

  get #waitingMs(): number {
    return this.#pending === undefined ? 0 : this.#clock.now() - this.#pending.since;
  }

  /** The last successful sync, in milliseconds since 1970; `undefined` before the first. */
  get lastSynced(): number | undefined {
    return this.#lastSynced;
  }

  get status(): SyncStatus {
    const age = (at: number): number => Math.max(0, Math.round(this.#clock.now() - at));
    const failure = this.#failure;
    return {
      commits: this.#commits,
      ...(this.#lastSynced === undefined ? {} : { syncedMs: age(this.#lastSynced) }),
      ...(this.#pending === undefined ? {} : { waitingMs: age(this.#pending.since) }),
      ...(failure === undefined
        ? {}
        : { failing: { forMs: age(failure.since), lastMs: age(failure.at), reason: failure.reason } }),
    };
  }

  /** Nothing is to reach the kernel, for minutes: a restart of the daemon would not help. */
  startHeld(): void {
    this.#pending = undefined;
    this.#failure = undefined;
  }

  listed(at: number): void {
    this.#hasListed = true;
    this.queued(at);
  }

  queued(at: number): void {
    if (this.#hasListed) this.#pending = { since: this.#pending?.since ?? at, newest: at };
  }

  committed({ at, times: { startedAt, hadEvents } }: Pick<Commit, 'at' | 'times'>): void {
    this.#lastSynced = at;
    this.#failure = undefined;
    if (hadEvents) this.#commits++;
    const newest = this.#pending?.newest ?? startedAt;
    this.#pending = newest > startedAt ? { since: newest, newest } : undefined;
  }

  failed(error: unknown): void {
    const now = this.#clock.now();
    this.#failure = { since: this.#failure?.since ?? now, at: now, reason: errorMessage(error) };
    this.#pending ??= { since: now, newest: now };
  }
}
