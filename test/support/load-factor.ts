// How busy the machine is, for the few tests with a limit in time.

import { availableParallelism, loadavg } from 'node:os';

/** Runnable processes per CPU at present, from 1 to 5. Multiply a limit of a quiet machine by it. */
export function loadFactor(): number {
  return Math.min(5, Math.max(1, (loadavg()[0] ?? 1) / availableParallelism()));
}
