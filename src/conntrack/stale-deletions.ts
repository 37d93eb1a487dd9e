// Deletes groups of stale conntrack entries, unless a change makes them valid before.

import { FAMILIES, type Family } from '../net/family.ts';
import type { Conntrack, FlowSelection } from './conntrack.ts';
import type { ConntrackEntry } from './conntrack-entry.ts';
import type { StaleGroup } from './stale-groups.ts';

interface DeletionOptions {
  readonly selection: FlowSelection;
  /** By what is known at the moment of the call. */
  readonly isStale: (entry: ConntrackEntry) => boolean;
  /** Whether to leave the remaining groups. */
  readonly isOver: () => boolean;
}

/** A running `conntrack -D`. */
interface Deletion {
  readonly isStale: () => boolean;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** Runs one deletion at a time. */
export class StaleDeletions {
  readonly #conntrack: Pick<Conntrack, 'delete'>;
  #running: Deletion | undefined;

  constructor(conntrack: Pick<Conntrack, 'delete'>) {
    this.#conntrack = conntrack;
  }

  /** Returns the numbers of deleted entries. Checks each group again: a Service may have changed since the scan. */
  async delete(groups: readonly StaleGroup[], options: DeletionOptions): Promise<Record<Family, number>> {
    const { selection, isStale, isOver } = options;
    const deleted = { ip: 0, ip6: 0 };
    for (const group of groups) {
      if (isOver()) break;
      if (!isStale(group.first)) continue;
      const abort = new AbortController();
      const deleting = this.#conntrack.delete(group, { selection, signal: abort.signal });
      this.#running = { isStale: () => isStale(group.first), abort, ended: deleting.then(nothing, nothing) };
      try {
        deleted[group.first.family] += await deleting;
      } finally {
        this.#running = undefined;
      }
    }
    return deleted;
  }

  /**
   * Aborts a running deletion of entries that are not stale any more, and resolves when it has ended. Entries are deleted by
   * frontend and endpoint, so a new flow to an endpoint that returns would be deleted too.
   */
  async abortIfValid(): Promise<void> {
    const running = this.#running;
    if (running === undefined || running.isStale()) return;
    running.abort.abort();
    await running.ended;
  }
}

/** Adds the numbers of deleted entries to a total. */
export function addCounts(total: Record<Family, number>, counts: Readonly<Record<Family, number>>): void {
  for (const family of FAMILIES) total[family] += counts[family];
}

function nothing(): void {}
