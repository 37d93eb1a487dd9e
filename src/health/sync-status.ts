// How far the kernel follows the objects, and what keeps it from that.

import { printDuration } from '../lib/duration.ts';

/** Ages in milliseconds. */
export interface SyncStatus {
  /** Since the last successful sync; absent before the first. */
  readonly syncedMs?: number;
  /** Since the arrival of the oldest change that is not in the kernel; absent without one. */
  readonly waitingMs?: number;
  /** The number of successful syncs that changes caused. */
  readonly commits: number;
  /** Syncs fail: since the first failure and the last one in a row. */
  readonly failing?: { readonly forMs: number; readonly lastMs: number; readonly reason: string };
}

/** A change normally waits for milliseconds. */
const SLOW_SYNC_MS = 10_000;

/** What keeps changes from the kernel; empty if nothing is known to. */
export function describeSyncProblems({ waitingMs = 0, failing }: SyncStatus): string[] {
  if (failing !== undefined) {
    const { forMs, lastMs, reason } = failing;
    return [`last sync failed ${printDuration(lastMs)} ago, failing for ${printDuration(forMs)}: ${reason}`];
  }
  const isSlow = waitingMs >= SLOW_SYNC_MS;
  return isSlow ? [`a change has been waiting for the kernel for ${printDuration(waitingMs)}`] : [];
}
