// The ruleset of one family, with lookups: chains by name, elements by key.

import { parseAddress } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import type { Chain } from '../../nftables/syntax/statement.ts';

export interface RulesetElement {
  readonly key: string;
  readonly data: string;
  readonly comment: string;
}

export interface Ruleset {
  readonly family: Family;
  readonly chains: ReadonlyMap<string, Chain>;
  /** The element of a set or map with this key, or with a prefix that contains it. */
  readonly find: (object: string, key: string) => RulesetElement | undefined;
}

/** `elements` are those of each set and map, by its name. */
export function createRuleset(
  family: Family,
  chains: readonly Chain[],
  elements: ReadonlyMap<string, readonly RulesetElement[]>,
): Ruleset {
  const indexes = new Map([...elements].map(([name, list]) => [name, new ElementIndex(list)]));
  return {
    family,
    chains: new Map(chains.map((chain) => [chain.name, chain])),
    find: (object, key) => indexes.get(object)?.find(key),
  };
}

/** Elements by key. Keys that end in a prefix are indexed by the part before it. */
class ElementIndex {
  readonly #exact = new Map<string, RulesetElement>();
  readonly #prefixes = new Map<string, RulesetElement[]>();

  constructor(elements: readonly RulesetElement[]) {
    for (const element of elements) {
      const { head, last } = splitKey(element.key);
      if (last.includes('/')) this.#prefixes.set(head, [...(this.#prefixes.get(head) ?? []), element]);
      else this.#exact.set(element.key, element);
    }
  }

  find(key: string): RulesetElement | undefined {
    return this.#exact.get(key) ?? this.#findPrefix(key);
  }

  #findPrefix(key: string): RulesetElement | undefined {
    const { head, last } = splitKey(key);
    return this.#prefixes.get(head)?.find((element) => {
      const block = parsePrefix(splitKey(element.key).last);
      const address = parseAddress(last);
      return block !== undefined && address !== undefined && contains(block, address);
    });
  }
}

function splitKey(key: string): { head: string; last: string } {
  const at = key.lastIndexOf(' . ');
  return at < 0 ? { head: '', last: key } : { head: key.slice(0, at), last: key.slice(at + 3) };
}
