// A token bucket rate limiter.

import type { Clock } from '../host/clock.ts';

interface Rate {
  readonly burst: number;
  /** Milliseconds per token. */
  readonly intervalMs: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Pick<Clock, 'now'>;
  #tokens: number;
  #refilledAt: number;

  constructor(rate: Rate, clock: Pick<Clock, 'now'>) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.burst;
    this.#refilledAt = clock.now();
  }

  /** When the next token is available, in milliseconds since 1970; not in the future if there is one already. */
  get nextAt(): number {
    this.#refill();
    return this.#refilledAt + Math.max(0, 1 - this.#tokens) * this.#rate.intervalMs;
  }

  take(): void {
    this.#refill();
    this.#tokens--;
  }

  #refill(): void {
    const now = this.#clock.now();
    const added = Math.max(0, now - this.#refilledAt) / this.#rate.intervalMs;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + added);
    this.#refilledAt = now;
  }
}
