// The ruleset in the kernel, from its listing.

import type { Family } from '../../net/family.ts';
import { parseRule } from '../../nftables/syntax/listed/rule-parser.ts';
import type { ListedTable } from '../../nftables/syntax/listed-table.ts';
import { TABLE } from '../../nftables/syntax/operation.ts';
import type { Ruleset, RulesetChain } from './ruleset.ts';

/** Packets traverse these families of tables, too. `bridge` and `arp` see other packets. */
const SHARED_FAMILIES = ['inet', 'netdev'];

/** `tables` are those of all programs. The chains of a dormant table do nothing. */
export function kernelRuleset(tables: readonly ListedTable[], family: Family, find: Ruleset['find']): Ruleset {
  const active = tables.filter(({ flags }) => !flags.includes('dormant'));
  const ours = active.find((table) => isOurs(table) && table.family === family);
  const chains = (ours?.chains ?? []).map(({ name, hook, rules }): [string, RulesetChain] => {
    const traced = rules.map((text) => ({ text, statements: parseRule(text, family) }));
    return [name, { name, hook, rules: traced }];
  });
  const others = active.filter((table) => {
    return !isOurs(table) && (table.family === family || SHARED_FAMILIES.includes(table.family));
  });
  return { family, chains: new Map(chains), find, others };
}

function isOurs({ family, name }: ListedTable): boolean {
  return name === TABLE && (family === 'ip' || family === 'ip6');
}
