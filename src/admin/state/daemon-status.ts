// The status of a running daemon: what it knows, and how old that is.

import type { SyncStatus } from '../../health/sync-health.ts';
import { printDuration } from '../../lib/duration.ts';
import { describeSourceProblem, type SourceStatus } from '../../sources/status/source-status.ts';

/** All times are ages, as of the answer. */
export interface DaemonStatus {
  readonly version: string;
  readonly pid: number;
  readonly node: string;
  /** All objects have been listed once. */
  readonly ready: boolean;
  readonly source: SourceStatus;
  readonly sync: SyncStatus;
}

/** A change normally waits for milliseconds. */
const SLOW_SYNC_MS = 10_000;

/** What is wrong, for operators, the worst first; empty if nothing is known to be. */
export function describeProblems({ source, sync }: Pick<DaemonStatus, 'source' | 'sync'>): string[] {
  return [...source.problems.map(describeSourceProblem), ...describeSyncProblems(sync)];
}

/** What keeps changes from the kernel; empty if nothing is known to. */
export function describeSyncProblems({ waitingMs = 0, failing }: SyncStatus): string[] {
  if (failing !== undefined) {
    const { forMs, lastMs, reason } = failing;
    return [`last sync failed ${printDuration(lastMs)} ago, failing for ${printDuration(forMs)}: ${reason}`];
  }
  const isSlow = waitingMs >= SLOW_SYNC_MS;
  return isSlow ? [`a change has been waiting for the kernel for ${printDuration(waitingMs)}`] : [];
}
