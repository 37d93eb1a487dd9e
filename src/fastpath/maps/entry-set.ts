// A set of map entries that is replaced as a whole, as for excluded sources and uplinks.

/** Requests that change the installed entries into the desired ones. */
interface EntryChanges {
  readonly puts: readonly string[];
  readonly deletes: readonly string[];
}

/** Values by `MAP KEY`, both as in requests. */
export class EntrySet {
  #entries: ReadonlyMap<string, string>;

  constructor(installed: ReadonlyMap<string, string>) {
    this.#entries = installed;
  }

  /** Takes over the desired entries, and returns the requests. */
  replace(desired: ReadonlyMap<string, string>): EntryChanges {
    const before = this.#entries;
    this.#entries = desired;
    return {
      puts: [...desired].flatMap(([entry, value]) => (before.get(entry) === value ? [] : `put ${entry} ${value}`)),
      deletes: [...before.keys()].flatMap((entry) => (desired.has(entry) ? [] : `del ${entry}`)),
    };
  }
}
