// Entries of maps that are written and deleted whole: excluded sources and uplinks.

/** Requests that lead from one set of entries to another. */
export interface EntryChanges {
  readonly puts: readonly string[];
  readonly deletes: readonly string[];
}

/** The installed entries: `MAP KEY` to value, both as requests name them. */
export class EntrySet {
  #entries: ReadonlyMap<string, string>;

  constructor(installed: ReadonlyMap<string, string>) {
    this.#entries = installed;
  }

  /** Takes over the desired entries and returns the requests for what differs. */
  replace(desired: ReadonlyMap<string, string>): EntryChanges {
    const before = this.#entries;
    this.#entries = desired;
    return {
      puts: [...desired].flatMap(([entry, value]) => (before.get(entry) === value ? [] : `put ${entry} ${value}`)),
      deletes: [...before.keys()].flatMap((entry) => (desired.has(entry) ? [] : `del ${entry}`)),
    };
  }
}
