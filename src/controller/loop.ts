// When to sync: at once for a lone event, once for a burst, and again after a failure.
import type { Clock } from '../host/clock.ts';

export interface LoopOptions {
  /** The work. A rejection is a failure, and is tried again. */
  readonly work: () => Promise<void>;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
  readonly clock: Clock;
  /** Events closer together than this are taken together, except the first of them. */
  readonly spacingMs?: number;
}

/** A stream of events costs at most fifty syncs a second, and a lone event waits for nothing. */
const DEFAULT_SPACING_MS = 20;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 30_000;

/** Runs the work whenever it was requested, never twice at once. */
export class Loop {
  readonly #options: LoopOptions;
  #requested = false;
  #wake: (() => void) | undefined;
  #failures = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Something changed. Any number of requests before the work starts are one. */
  request(): void {
    this.#requested = true;
    this.#wake?.();
  }

  /** Works until the signal aborts; work that has begun is finished. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, work, onFailure, spacingMs = DEFAULT_SPACING_MS } = this.#options;
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
        await work();
        this.#failures = 0;
      } catch (error) {
        const retryInMs = Math.min(RETRY_MIN_MS * 2 ** this.#failures++, RETRY_MAX_MS);
        this.#requested = true;
        onFailure(error, retryInMs);
        await clock.sleep(retryInMs, signal);
      }
      await clock.sleep(Math.max(0, spacingMs - (clock.now() - started)), signal);
    }
  }
}
