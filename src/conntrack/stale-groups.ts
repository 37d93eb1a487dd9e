// Stale conntrack entries by frontend and endpoint, because each deletion walks the whole table.

import { addressKey, type ConntrackEntry } from './conntrack-entry.ts';

/** Stale entries with the same frontend and endpoint, hence the same reason. */
export interface StaleGroup {
  readonly reason: string;
  readonly first: ConntrackEntry;
  readonly count: number;
}

export class StaleGroups {
  readonly #groups = new Map<string, { reason: string; first: ConntrackEntry; count: number }>();

  add(entry: ConntrackEntry, reason: string): void {
    const { original, reply } = entry;
    const frontend = addressKey(original.destination, original.destinationPort);
    const key = `${frontend} ${addressKey(reply.source, reply.sourcePort)}`;
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, { reason, first: entry, count: 1 });
    else group.count++;
  }

  /** In the order of their first entries. */
  list(): readonly StaleGroup[] {
    return [...this.#groups.values()];
  }
}
