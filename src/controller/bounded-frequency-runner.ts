// When to sync: at once for a lone event, once for a burst, and again after a failure.
import type { Clock } from '../host/clock.ts';
import { Backoff } from '../lib/backoff.ts';

export interface BoundedFrequencyRunnerOptions {
  /** The work. A rejection is a failure, and is tried again. */
  readonly task: () => Promise<void>;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
  readonly clock: Clock;
  /** Events closer together than this are taken together, except the first of them. */
  readonly minIntervalMs?: number;
}

/** A stream of events costs at most fifty syncs a second, and a lone event waits for nothing. */
const DEFAULT_MIN_INTERVAL_MS = 20;

/** Runs the work whenever it was requested, never twice at once. */
export class BoundedFrequencyRunner {
  readonly #options: BoundedFrequencyRunnerOptions;
  #requested = false;
  #wake: (() => void) | undefined;
  readonly #backoff = new Backoff();

  constructor(options: BoundedFrequencyRunnerOptions) {
    this.#options = options;
  }

  /** Something changed. Any number of requests before the work starts are one. */
  request(): void {
    this.#requested = true;
    this.#wake?.();
  }

  /** Works until the signal aborts; work that has begun is finished. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, task, onFailure, minIntervalMs = DEFAULT_MIN_INTERVAL_MS } = this.#options;
    signal.addEventListener('abort', () => this.#wake?.());
    while (!signal.aborted) {
      if (!this.#requested) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        // Whatever else has already arrived belongs to the same burst.
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      this.#requested = false;
      const started = clock.now();
      try {
        await task();
        this.#backoff.reset();
      } catch (error) {
        const retryInMs = this.#backoff.next();
        this.#requested = true;
        onFailure(error, retryInMs);
        await clock.sleep(retryInMs, signal);
      }
      await clock.sleep(Math.max(0, minIntervalMs - (clock.now() - started)), signal);
    }
  }
}
