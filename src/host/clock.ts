// The clock, passed as an argument so that tests can replace it.

import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /**
   * Milliseconds since 1970 as if the wall clock had not been set since the process started: for ages and timeouts, which a
   * clock that is set must not affect.
   */
  now(): number;
  /** What the wall clock showed, or shows, at a time of {@link now} if its present setting is right: for display only. */
  wallTime(at: number): number;
  /** Resolves after `ms` milliseconds or when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A number from 0 up to 1, for jitter. */
  random(): number;
}

/** Less is the inaccuracy of reading two clocks. Times that are shown again and again must not change by it. */
const MIN_SHIFT_MS = 10;

/** By how much the wall clock has been set since the process started. */
let shiftMs = 0;

export const systemClock: Clock = {
  now: monotonicNow,
  wallTime: (at) => {
    const measured = Date.now() - monotonicNow();
    if (Math.abs(measured - shiftMs) > MIN_SHIFT_MS) shiftMs = measured;
    return at + shiftMs;
  },
  sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
  random: () => Math.random(),
};

function monotonicNow(): number {
  return performance.timeOrigin + performance.now();
}
