// Stale conntrack entries by frontend and endpoint, because each deletion walks the whole table.

import { addressKey, type ConntrackEntry } from './conntrack-entry.ts';

/** Stale entries with the same frontend and endpoint, hence the same reason. */
export interface StaleGroup {
  readonly reason: string;
  readonly first: ConntrackEntry;
  readonly count: number;
}

/** What the entries of a group have in common. */
export function groupKey(entry: ConntrackEntry): string {
  const { original, reply } = entry;
  const state = entry.protocol === 'tcp' ? entry.state : '';
  const frontend = addressKey(original.destination, original.destinationPort);
  return `${state} ${frontend} ${addressKey(reply.source, reply.sourcePort)}`;
}

export class StaleGroups {
  readonly #groups = new Map<string, { reason: string; first: ConntrackEntry; count: number }>();

  add(entry: ConntrackEntry, reason: string): void {
    const key = groupKey(entry);
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, { reason, first: entry, count: 1 });
    else group.count++;
  }

  /** In the order of their first entries. */
  list(): readonly StaleGroup[] {
    return [...this.#groups.values()];
  }
}
