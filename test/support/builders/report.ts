// What the daemon tells of a sync in which nothing happened.
import type { SyncTimes } from '../../../src/controller/observer.ts';
import type { SyncReport } from '../../../src/controller/sync.ts';

export function report(overrides: Partial<SyncReport> = {}): SyncReport {
  const stages = { list: 0, compile: 0, plan: 0, apply: 0, forget: 0, tidy: 0 };
  const done = { operations: 0, transactions: 0, sizes: [], full: false, stages, tidyFailed: false };
  return { ...done, refused: [], drift: [], ...overrides };
}

/** In no time, for an event. */
export function times(overrides: Partial<SyncTimes> = {}): SyncTimes {
  return { startedAt: 0, ms: 0, latencyMs: 0, hadEvents: true, ...overrides };
}
