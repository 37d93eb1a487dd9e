// The status of a running daemon: what it knows, and how old that is.

import { describeSyncProblems, type SyncStatus } from '../../health/sync-status.ts';
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

/** What is wrong, for operators, the worst first; empty if nothing is known to be. */
export function describeProblems({ source, sync }: Pick<DaemonStatus, 'source' | 'sync'>): string[] {
  return [...source.problems.map(describeSourceProblem), ...describeSyncProblems(sync)];
}
