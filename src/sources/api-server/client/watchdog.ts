// Notices that nothing happens any more.
import type { Clock } from '../../../host/clock.ts';

/** Barks once when it was not touched for a while. Touching costs next to nothing, so every chunk of a stream may do it. */
export class Watchdog {
  readonly #clock: Clock;
  #timer = new AbortController();
  #resetAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts, or starts over with another limit. */
  start(limitMs: number, onTimeout: () => void): void {
    this.stop();
    this.#timer = new AbortController();
    this.reset();
    void this.#watch(limitMs, onTimeout, this.#timer.signal);
  }

  reset(): void {
    this.#resetAt = this.#clock.now();
  }

  stop(): void {
    this.#timer.abort();
  }

  async #watch(limitMs: number, onTimeout: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const remainingMs = this.#resetAt + limitMs - this.#clock.now();
      if (remainingMs <= 0) return onTimeout();
      // A wall clock that was set back must not make it sleep for longer than the limit.
      await this.#clock.sleep(Math.min(remainingMs, limitMs), signal);
    }
  }
}
