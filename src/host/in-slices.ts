// Runs a long computation in slices, so that requests, objects and signals are handled in between.

import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Steps } from '../lib/steps.ts';

/** The longest time without other work. Most computations take less, and are not interrupted. */
const SLICE_MS = 10;

/** Runs all steps. Resolves with their result. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  let until = performance.now() + SLICE_MS;
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (performance.now() < until) continue;
    await yieldToEventLoop();
    until = performance.now() + SLICE_MS;
  }
}
