// A clock that runs faster than real time, so that a wait of minutes takes milliseconds.

import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../../src/host/clock.ts';

export interface FastClock extends Clock {
  /** The duration of every sleep so far, in milliseconds of this clock. */
  readonly sleeps: readonly number[];
}

/** Runs `factor` times as fast. The random number is always 0.5. */
export function fastClock(factor: number): FastClock {
  const sleeps: number[] = [];
  const startedAt = performance.now();
  const epoch = Date.UTC(2026, 0, 1);
  return {
    sleeps,
    now: () => epoch + (performance.now() - startedAt) * factor,
    wallTime: (at) => at,
    sleep: (ms, signal) => {
      sleeps.push(ms);
      return delay(ms / factor, undefined, { signal }).catch(() => undefined);
    },
    random: () => 0.5,
  };
}
