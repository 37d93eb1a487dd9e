// Deletes groups of stale conntrack entries, unless a change makes them valid before.

import type { Family } from '../net/family.ts';
import type { Conntrack } from './conntrack.ts';
import type { ConntrackEntry } from './conntrack-entry.ts';
import type { StaleGroup } from './stale-groups.ts';

/** What a cleanup has deleted, and why the first of it. */
export interface Deleted {
  readonly deleted: Record<Family, number>;
  reason: string | undefined;
}

interface DeletionOptions {
  /** Is added to. */
  readonly result: Deleted;
  /** By what is known at the moment of the call: a Service may have changed since the scan. */
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

  /** Deletes groups, at least one, until it is over. Returns those that are left. */
  async delete<Group extends StaleGroup>(
    groups: readonly Group[],
    { result, isStale, isOver }: DeletionOptions,
  ): Promise<readonly Group[]> {
    for (const [index, group] of groups.entries()) {
      const count = await this.#deleteOne(group, isStale);
      result.deleted[group.first.family] += count;
      if (count > 0) result.reason ??= group.reason;
      if (isOver()) return groups.slice(index + 1);
    }
    return [];
  }

  async #deleteOne(group: StaleGroup, isStale: DeletionOptions['isStale']): Promise<number> {
    if (!isStale(group.first)) return 0;
    const abort = new AbortController();
    const deleting = this.#conntrack.delete(group, { signal: abort.signal });
    this.#running = { isStale: () => isStale(group.first), abort, ended: deleting.then(nothing, nothing) };
    try {
      return await deleting;
    } finally {
      this.#running = undefined;
    }
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

function nothing(): void {}
