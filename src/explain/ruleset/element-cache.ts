// The elements that lookups of a trace need, read when they are needed.

import { CATCH_ALL, elementIndex, type Ruleset, type RulesetElement } from './ruleset.ts';

/** The keys to read, by the name of the set or map. */
export type ElementKeys = ReadonlyMap<string, ReadonlySet<string>>;

/** Elements by the name of their set or map, then by key; `undefined` for a key without an element. */
export class ElementCache {
  readonly #elements = new Map<string, Map<string, RulesetElement | undefined>>();
  /** Sets with prefixes or ranges, which are read completely. */
  readonly #intervals = new Map<string, Ruleset['find']>();
  #missed = new Map<string, Set<string>>();

  /** Finds an element; one that has not been read is noted and counts as missing. */
  readonly find: Ruleset['find'] = (object, key) => {
    const elements = this.#elements.get(object);
    if (elements === undefined || !elements.has(key)) this.#note(object, key);
    const element = elements?.get(key) ?? this.#intervals.get(object)?.(object, key);
    if (element !== undefined) return element;
    if (elements === undefined || !elements.has(CATCH_ALL)) this.#note(object, CATCH_ALL);
    return elements?.get(CATCH_ALL);
  };

  /** Takes what was read for these keys. */
  add(keys: ElementKeys, read: ReadonlyMap<string, readonly RulesetElement[]>): void {
    for (const [object, objectKeys] of keys) {
      const elements = this.#elements.get(object) ?? new Map<string, RulesetElement | undefined>();
      for (const key of objectKeys) elements.set(key, undefined);
      for (const element of read.get(object) ?? []) elements.set(element.key, element);
      this.#elements.set(object, elements);
      this.#intervals.set(object, elementIndex(new Map([[object, read.get(object) ?? []]])));
    }
  }

  /** The keys that lookups needed since the last call and that have not been read. */
  takeMissed(): ElementKeys {
    const missed = this.#missed;
    this.#missed = new Map();
    return missed;
  }

  #note(object: string, key: string): void {
    const keys = this.#missed.get(object) ?? new Set<string>();
    this.#missed.set(object, keys.add(key));
  }
}
