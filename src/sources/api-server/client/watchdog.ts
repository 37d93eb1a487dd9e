// A timeout that restarts with every sign of activity.

import type { Clock } from '../../../host/clock.ts';

/** Calls back once when it has not been reset for some time. A reset is cheap enough for every chunk of a stream. */
export class Watchdog {
  readonly #clock: Clock;
  #timer = new AbortController();
  #resetAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts, or restarts with another limit. */
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
      // The wall clock may have been set back: never sleep for longer than the limit.
      await this.#clock.sleep(Math.min(remainingMs, limitMs), signal);
    }
  }
}
