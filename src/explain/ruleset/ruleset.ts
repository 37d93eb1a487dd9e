// The ruleset of one family, with lookups: chains by name, elements by key.

import { addressBits, parseAddress } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import type { ListedHook, ListedTable } from '../../nftables/syntax/listed-table.ts';
import { type Chain, printRule, type Rule } from '../../nftables/syntax/statement.ts';

export interface RulesetElement {
  readonly key: string;
  readonly data: string;
  readonly comment: string;
}

/** A rule with its text; `statements` is missing if it is not one that this version writes. */
export interface RulesetRule {
  readonly text: string;
  readonly statements: Rule | undefined;
}

export interface RulesetChain {
  readonly name: string;
  readonly hook: ListedHook | undefined;
  readonly rules: readonly RulesetRule[];
}

export interface Ruleset {
  readonly family: Family;
  readonly chains: ReadonlyMap<string, RulesetChain>;
  /** The element of a set or map with this key, or with a prefix or range that contains it. */
  readonly find: (object: string, key: string) => RulesetElement | undefined;
  /** The tables of other programs that packets of this family traverse. */
  readonly others: readonly ListedTable[];
}

/** `elements` are those of each set and map, by its name. */
export function createRuleset(
  family: Family,
  chains: readonly Chain[],
  elements: ReadonlyMap<string, readonly RulesetElement[]>,
): Ruleset {
  return { family, chains: compiledChains(chains, family), find: elementIndex(elements), others: [] };
}

/** Chains as this version writes them. */
function compiledChains(chains: readonly Chain[], family: Family): Map<string, RulesetChain> {
  return new Map(
    chains.map(({ name, hook, rules }) => {
      const listedHook = hook === undefined ? undefined : { ...hook, policy: 'accept', rest: '' };
      const traced = rules.map((statements) => ({ text: printRule(statements, family), statements }));
      return [name, { name, hook: listedHook, rules: traced }];
    }),
  );
}

/** Finds elements by key. */
export function elementIndex(elements: ReadonlyMap<string, readonly RulesetElement[]>): Ruleset['find'] {
  const indexes = new Map([...elements].map(([name, list]) => [name, new ElementIndex(list)]));
  return (object, key) => indexes.get(object)?.find(key);
}

/** The element for all keys that have none of their own. */
export const CATCH_ALL = '*';

/** Elements by key. Keys with prefixes or ranges are compared one by one. */
class ElementIndex {
  readonly #exact = new Map<string, RulesetElement>();
  readonly #intervals: RulesetElement[] = [];

  constructor(elements: readonly RulesetElement[]) {
    for (const element of elements) {
      if (/[/-]/.test(element.key)) this.#intervals.push(element);
      else this.#exact.set(element.key, element);
    }
  }

  find(key: string): RulesetElement | undefined {
    const interval = () => this.#intervals.find((element) => isInInterval(element.key, key));
    return this.#exact.get(key) ?? interval() ?? this.#exact.get(CATCH_ALL);
  }
}

/** Whether each part of a key is in the prefix, in the range, or equal to the value in the same place. */
function isInInterval(interval: string, key: string): boolean {
  const parts = key.split(' . ');
  const intervals = interval.split(' . ');
  return intervals.length === parts.length && intervals.every((text, index) => isPartIn(text, parts[index] ?? ''));
}

function isPartIn(interval: string, part: string): boolean {
  if (interval === part) return true;
  const address = parseAddress(part);
  if (address === undefined) {
    const [first, last] = interval.split('-').map(Number);
    return first !== undefined && last !== undefined && first <= Number(part) && Number(part) <= last;
  }
  const [first = '', last = ''] = interval.split('-');
  if (last === '') {
    const prefix = parsePrefix(interval);
    return prefix !== undefined && contains(prefix, address);
  }
  const bits = addressBits(address);
  return addressBits(first) <= bits && bits <= addressBits(last);
}
