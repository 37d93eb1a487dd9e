// How much may be sent: a burst now and then, and little on average.
import type { Clock } from '../host/clock.ts';

export interface Rate {
  readonly burst: number;
  /** Milliseconds until one more may be sent. */
  readonly everyMs: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Pick<Clock, 'now'>;
  #tokens: number;
  #countedAt: number;

  constructor(rate: Rate, clock: Pick<Clock, 'now'>) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.burst;
    this.#countedAt = clock.now();
  }

  /** When the next token is there, milliseconds since 1970; now or earlier when there is one already. */
  get nextAt(): number {
    this.#refill();
    return this.#countedAt + Math.max(0, 1 - this.#tokens) * this.#rate.everyMs;
  }

  take(): void {
    this.#refill();
    this.#tokens--;
  }

  #refill(): void {
    const now = this.#clock.now();
    const grown = Math.max(0, now - this.#countedAt) / this.#rate.everyMs;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + grown);
    this.#countedAt = now;
  }
}
