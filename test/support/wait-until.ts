// Waits for something that happens in another task.
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves as soon as the condition holds; fails with `what` after five seconds. */
export async function waitUntil(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited in vain: ${what}`);
    await delay(1);
  }
}
