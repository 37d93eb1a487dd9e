// Runs a task on request: immediately for a single request, once for a burst, and again after a failure.

import type { Clock } from '../host/clock.ts';
import { backoffMs } from '../lib/backoff.ts';

interface BoundedFrequencyRunnerOptions {
  /** A rejection is a failure, and is retried. */
  readonly task: () => Promise<void>;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
  readonly clock: Clock;
  /** The minimum time between the starts of two runs; a function is asked after each run. */
  readonly minIntervalMs?: number | (() => number);
}

/** A stream of events causes at most fifty syncs a second; a single event is not delayed. */
const DEFAULT_MIN_INTERVAL_MS = 20;

/** The longest wait after failures, unless they take long: what hindered the task may be gone. */
const MAX_RETRY_MS = 5000;
const LONGEST_RETRY_MS = 30_000;
/** Waits up to this multiple of its duration bound the share of time that a failing task takes. */
const WAITS_PER_DURATION = 4;

/** Runs the task whenever it was requested, one run at a time. */
export class BoundedFrequencyRunner {
  readonly #options: BoundedFrequencyRunnerOptions;
  #isRequested = false;
  #wake: (() => void) | undefined;
  #failures = 0;

  constructor(options: BoundedFrequencyRunnerOptions) {
    this.#options = options;
  }

  /** Requests before a run starts count as one. */
  request(): void {
    this.#isRequested = true;
    this.#wake?.();
  }

  /** Runs until the signal aborts; a run that has begun is completed. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, task, onFailure, minIntervalMs = DEFAULT_MIN_INTERVAL_MS } = this.#options;
    signal.addEventListener('abort', () => this.#wake?.());
    while (!signal.aborted) {
      if (!this.#isRequested) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        // Events that have already arrived belong to the same burst.
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      this.#isRequested = false;
      const startedAt = clock.now();
      try {
        await task();
        this.#failures = 0;
      } catch (error) {
        const retryInMs = this.#retryInMs(clock.now() - startedAt);
        this.#isRequested = true;
        onFailure(error, retryInMs);
        await clock.sleep(retryInMs, signal);
      }
      const intervalMs = typeof minIntervalMs === 'number' ? minIntervalMs : minIntervalMs();
      await clock.sleep(Math.max(0, intervalMs - (clock.now() - startedAt)), signal);
    }
  }

  /** Waits double up to five seconds, or up to 30 s for a run that takes long. */
  #retryInMs(durationMs: number): number {
    const maxMs = Math.min(LONGEST_RETRY_MS, Math.max(MAX_RETRY_MS, WAITS_PER_DURATION * durationMs));
    return backoffMs(this.#failures++, { maxMs });
  }
}
