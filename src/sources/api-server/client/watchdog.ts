// Notices that nothing happens any more.
import type { Clock } from '../../../host/clock.ts';

/** Barks once when it was not touched for a while. Touching costs next to nothing, so every chunk of a stream may do it. */
export class Watchdog {
  readonly #clock: Clock;
  #timer = new AbortController();
  #touchedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts, or starts over with another limit. */
  start(limitMs: number, bark: () => void): void {
    this.stop();
    this.#timer = new AbortController();
    this.touch();
    void this.#watch(limitMs, bark, this.#timer.signal);
  }

  touch(): void {
    this.#touchedAt = this.#clock.now();
  }

  stop(): void {
    this.#timer.abort();
  }

  async #watch(limitMs: number, bark: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const leftMs = this.#touchedAt + limitMs - this.#clock.now();
      if (leftMs <= 0) return bark();
      // A wall clock that was set back must not make it sleep for longer than the limit.
      await this.#clock.sleep(Math.min(leftMs, limitMs), signal);
    }
  }
}
