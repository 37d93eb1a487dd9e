// Reports of a sync without changes.

import type { SyncReport } from '../../../src/controller/sync.ts';
import type { Commit, SyncTimes } from '../../../src/controller/sync-observer.ts';

export function syncReport(overrides: Partial<SyncReport> = {}): SyncReport {
  const stages = { list: 0, compile: 0, plan: 0, apply: 0, affinity: 0, cleanup: 0 };
  const done = { operations: 0, transactions: 0, transactionSizes: [], full: false, stages, cleanupFailed: false };
  return { ...done, refused: [], drift: [], ...overrides };
}

/** The times of a sync that took no time and had events. */
export function syncTimes(overrides: Partial<SyncTimes> = {}): SyncTimes {
  return { startedAt: 0, durationMs: 0, latencyMs: 0, hadEvents: true, ...overrides };
}

/** A commit without changes, not the initial one. */
export function commitOf(overrides: Partial<Commit> = {}): Commit {
  const problems = { issues: [], conflicts: [], refused: [], limited: [] };
  const nothing = {
    at: 0,
    services: [],
    report: syncReport(),
    times: syncTimes(),
    problems,
    isInitial: false,
    isRepair: false,
  };
  return { ...nothing, ...overrides };
}
