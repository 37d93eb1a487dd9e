// Counts the outcomes of connection attempts.

import type { Answer, DialReport, Failure } from './messages.ts';

const MAX_FAILURES = 10_000;

export class OutcomeCounter {
  #refused = 0;
  #timedOut = 0;
  readonly #pods = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #clients = new Set<string>();
  readonly #latencies: number[] = [];
  readonly #failures: Failure[] = [];

  answered(answer: Answer, ms: number): void {
    increment(this.#pods, answer.pod);
    this.#clients.add(answer.client);
    this.#latencies.push(ms);
  }

  /** `at` is when the attempt began, in milliseconds of the system's clock. */
  failed(error: unknown, at: number): void {
    const code = errorCode(error);
    if (this.#failures.length < MAX_FAILURES) this.#failures.push({ at, code });
    if (code === 'ECONNREFUSED') this.#refused++;
    else if (code === 'ETIMEDOUT') this.#timedOut++;
    else increment(this.#errors, code);
  }

  /** Makes an attempt and counts its outcome. */
  async count(attempt: () => Promise<Answer>): Promise<boolean> {
    const start = performance.now();
    try {
      const answer = await attempt();
      this.answered(answer, performance.now() - start);
      return true;
    } catch (error) {
      this.failed(error, performance.timeOrigin + start);
      return false;
    }
  }

  report(): DialReport {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const errors = Object.fromEntries(this.#errors);
    const failed = this.#refused + this.#timedOut + Object.values(errors).reduce((sum, n) => sum + n, 0);
    return {
      attempts: sorted.length + failed,
      answered: sorted.length,
      pods: Object.fromEntries(this.#pods),
      refused: this.#refused,
      timedOut: this.#timedOut,
      errors,
      failures: this.#failures,
      clients: [...this.#clients].sort(),
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
    };
  }
}

function errorCode(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return String(error);
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return Math.round(value * 100) / 100;
}
