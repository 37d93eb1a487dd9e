// A clock that runs faster than the one on the wall, so that minutes of patience take a test milliseconds.
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../../src/host/clock.ts';

export interface FastClock extends Clock {
  /** Milliseconds of every sleep so far, in the time of this clock. */
  readonly sleeps: readonly number[];
}

/** `factor` times faster; jitter is always half of what it may be. */
export function fastClock(factor: number): FastClock {
  const sleeps: number[] = [];
  const startedAt = performance.now();
  const epoch = Date.UTC(2026, 0, 1);
  return {
    sleeps,
    now: () => epoch + (performance.now() - startedAt) * factor,
    sleep: (ms, signal) => {
      sleeps.push(ms);
      return delay(ms / factor, undefined, { signal }).catch(() => undefined);
    },
    random: () => 0.5,
  };
}
