// The names that were lost within the last seconds.

import { LOSS_WINDOW_MS } from './assess-loss.ts';

/** Each with the time of its loss. Entries expire after {@link LOSS_WINDOW_MS}. */
export class RecentLosses {
  /** In the order of the times. */
  readonly #lostAt = new Map<string, number>();

  add(name: string, now: number): void {
    this.#expire(now);
    this.#lostAt.delete(name);
    this.#lostAt.set(name, now);
  }

  delete(name: string): void {
    this.#lostAt.delete(name);
  }

  has(name: string): boolean {
    return this.#lostAt.has(name);
  }

  clear(): void {
    this.#lostAt.clear();
  }

  count(now: number): number {
    this.#expire(now);
    return this.#lostAt.size;
  }

  #expire(now: number): void {
    for (const [name, at] of this.#lostAt) {
      if (at > now - LOSS_WINDOW_MS) return;
      this.#lostAt.delete(name);
    }
  }
}
