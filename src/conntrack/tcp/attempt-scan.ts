// The stale attempts that one listing found, by group, and which of them an earlier listing had found.

import type { ConntrackEntry } from '../conntrack-entry.ts';
import { groupKey, type StaleGroup } from '../stale-groups.ts';

/** A group of stale attempts. */
export interface AttemptGroup extends StaleGroup {
  readonly key: string;
  /** Whether none of them can still be answered: all have waited, or need not. */
  readonly isDue: boolean;
}

interface MutableGroup extends AttemptGroup {
  count: number;
  isDue: boolean;
  /** The clients of those that wait: together with the key, their full tuples. */
  readonly clients: Set<string>;
}

/** A stale attempt. */
interface FoundAttempt {
  readonly reason: string;
  /** Whether it stays until the next scan. */
  readonly waits: boolean;
}

/** About five megabytes. With more attempts than this, the others are taken to be as old as their group. */
const DEFAULT_LIMIT = 50_000;

/** Compares each attempt, by its full tuple, with the scan before. */
export class AttemptScan {
  readonly #limit: number;
  readonly #groups = new Map<string, MutableGroup>();
  /** The number of attempts that wait. */
  #waiting = 0;

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** `earlier`: the scan before. */
  add(entry: ConntrackEntry, { reason, waits }: FoundAttempt, earlier: AttemptScan | undefined): void {
    const key = groupKey(entry);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { key, reason, first: entry, count: 0, isDue: true, clients: new Set() };
      this.#groups.set(key, group);
    }
    group.count++;
    if (!waits) return;
    const client = clientKey(entry);
    if (earlier === undefined || !earlier.#has(key, client)) group.isDue = false;
    if (this.#waiting++ < this.#limit) group.clients.add(client);
  }

  /** The largest groups first. */
  list(): readonly AttemptGroup[] {
    return [...this.#groups.values()].toSorted((a, b) => b.count - a.count);
  }

  #has(key: string, client: string): boolean {
    const group = this.#groups.get(key);
    return group !== undefined && (group.clients.has(client) || this.#waiting > this.#limit);
  }
}

function clientKey({ original, reply }: ConntrackEntry): string {
  return `${original.source} ${original.sourcePort} ${reply.destination} ${reply.destinationPort}`;
}
