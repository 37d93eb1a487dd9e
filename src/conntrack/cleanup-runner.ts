// Runs the cleanups of one kind of conntrack entries: on request, one at a time, within a share of a core, and reports them.

import { BoundedFrequencyRunner } from '../controller/bounded-frequency-runner.ts';
import type { Clock } from '../host/clock.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { Family } from '../net/family.ts';
import { type Conntrack, ConntrackError } from './conntrack.ts';
import type { Deleted } from './stale-deletions.ts';

/** What both cleaners need. */
export interface CleanerOptions {
  readonly conntrack: Pick<Conntrack, 'listFlows' | 'listAttempts' | 'delete' | 'cpuMs'>;
  readonly clock: Clock;
  readonly onCleanup?: (run: CleanupResult) => void;
  /** A cleanup failed, which only the first time logs. */
  readonly onFailure?: () => void;
}

/** A cleanup that succeeded. */
export interface CleanupResult {
  /** Includes the pauses between scans. */
  readonly durationMs: number;
  /** Deleted entries. */
  readonly deleted: Readonly<Record<Family, number>>;
}

interface CleanupRunnerOptions extends CleanerOptions {
  /** `requestedAt`: what the last request is older than. */
  readonly cleanUp: (requestedAt: number) => Promise<Deleted>;
  /** The pause before each cleanup. */
  readonly delayMs: number;
  /** Of one core, in the long run, however large the table is: 0.02 are 2 %. */
  readonly cpuShare: number;
  /** Log messages. */
  readonly report: CleanupReport;
}

/** The outcomes of cleanups. */
export interface CleanupReport {
  deleted(fields: { readonly count: number; readonly durationMs: number; readonly reason: string | undefined }): void;
  failed(fields: { readonly reason: string; readonly retryInMs: number }): void;
  /** There is no such program, so it is not retried. */
  missing(fields: { readonly reason: string }): void;
  succeeded(): void;
}

/** A single change is cleaned up immediately; a stream of changes causes at most two cleanups a second. */
const MIN_INTERVAL_MS = 500;

/** After a quiet time, cleanups may use their share of a minute in advance: a large table does not delay them then. */
const ADVANCE_MS = 60_000;

export class CleanupRunner {
  readonly #options: CleanupRunnerOptions;
  readonly #runner: BoundedFrequencyRunner;
  #isStopping = false;
  /** At the start of the running cleanup. */
  #cpuBefore = 0;
  /** The processor time that later time has to make up for, at a time. */
  #debt = { cpuMs: 0, at: 0 };

  constructor(options: CleanupRunnerOptions) {
    this.#options = options;
    const { clock, report, onFailure } = options;
    let startedAt = 0;
    this.#runner = new BoundedFrequencyRunner({
      task: () => {
        startedAt = clock.now();
        return this.#run();
      },
      onFailure: (error, retryInMs) => {
        onFailure?.();
        report.failed({ reason: errorMessage(error), retryInMs });
      },
      clock,
      minIntervalMs: () => Math.max(MIN_INTERVAL_MS, this.#nextStart - startedAt),
    });
  }

  /** Whether the daemon stops. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Whether a running cleanup is to leave the rest to the next one: it has used its share of a minute, or the daemon stops. */
  get isOver(): boolean {
    const { conntrack, cpuShare } = this.#options;
    return this.#isStopping || conntrack.cpuMs - this.#cpuBefore >= ADVANCE_MS * cpuShare;
  }

  request(): void {
    this.#runner.request();
  }

  /** Runs until the signal aborts; entries that are not deleted by then stay. */
  run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => {
      this.#isStopping = true;
    });
    return this.#runner.run(signal);
  }

  async #run(): Promise<void> {
    const { conntrack, clock, cleanUp, delayMs, report } = this.#options;
    const requestedAt = clock.now();
    if (delayMs > 0) await clock.sleep(delayMs);
    const startedAt = clock.now();
    this.#cpuBefore = conntrack.cpuMs;
    try {
      const { deleted, reason } = await cleanUp(requestedAt);
      const durationMs = clock.now() - startedAt;
      this.#options.onCleanup?.({ durationMs, deleted });
      const count = deleted.ip + deleted.ip6;
      if (count > 0) report.deleted({ count, durationMs: Math.round(durationMs), reason });
      report.succeeded();
    } catch (error) {
      if (!(error instanceof ConntrackError && error.kind === 'missing')) throw error;
      this.#options.onFailure?.();
      report.missing({ reason: error.message });
    } finally {
      this.#charge(conntrack.cpuMs - this.#cpuBefore);
    }
  }

  #charge(cpuMs: number): void {
    const { clock, cpuShare } = this.#options;
    const now = clock.now();
    const left = Math.max(0, this.#debt.cpuMs - (now - this.#debt.at) * cpuShare);
    this.#debt = { cpuMs: left + cpuMs, at: now };
  }

  /** The earliest start of the next cleanup. */
  get #nextStart(): number {
    return this.#debt.at + this.#debt.cpuMs / this.#options.cpuShare - ADVANCE_MS;
  }
}
