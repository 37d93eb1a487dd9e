// Waits for something that happens in another task or process.

import { setTimeout as delay } from 'node:timers/promises';

export interface PollOptions<T> {
  /** Whether the wait is over. */
  readonly until: (answer: T) => boolean;
  /** The error message after the time limit. */
  readonly failure: (answer: T) => string;
  readonly timeoutMs: number;
  /** Default: 50 ms. */
  readonly everyMs?: number;
}

/** Calls `ask` repeatedly until `until` accepts the answer, and returns it. Throws after the time limit. */
export async function poll<T>(ask: () => T | Promise<T>, options: PollOptions<T>): Promise<T> {
  const { until, failure, timeoutMs, everyMs = 50 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (until(answer)) return answer;
    if (performance.now() > deadline) throw new Error(failure(answer));
    await delay(everyMs);
  }
}

/** Resolves as soon as the condition holds; fails with `what` after five seconds. */
export async function waitUntil(description: string, condition: () => boolean): Promise<void> {
  await poll(condition, {
    until: (holds) => holds,
    failure: () => `Timed out waiting until ${description}`,
    timeoutMs: 5_000,
    everyMs: 1,
  });
}
