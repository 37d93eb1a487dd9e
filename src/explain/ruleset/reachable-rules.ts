// The rules of other programs that a packet can get to before nftlane translates it.

import type { ListedTable, TableChain } from '../../nftables/syntax/listed-table.ts';
import { TABLE } from '../../nftables/syntax/operation.ts';
import { readListedRule } from './listed-rule.ts';

/** Families whose chains see the packets of Services. */
const FAMILIES = ['ip', 'ip6', 'inet'];
const HOOKS = ['prerouting', 'output'];

/** A rule that a packet can get to from a base chain. */
export interface ReachableRule {
  /** `family table chain`, the base chain. */
  readonly base: string;
  readonly type: string;
  readonly priority: number;
  readonly text: string;
}

/** The rules of others in base chains at the hooks where nftlane translates destinations, and in the chains that these name. */
export function foreignRules(tables: readonly ListedTable[]): ReachableRule[] {
  const active = tables.filter(({ family, name, flags }) => {
    return FAMILIES.includes(family) && name !== TABLE && !flags.includes('dormant');
  });
  return active.flatMap(({ family, name, chains }) =>
    chains.flatMap(({ name: chainName, hook }) => {
      if (hook === undefined || !HOOKS.includes(hook.hook)) return [];
      const place = { base: `${family} ${name} ${chainName}`, type: hook.type, priority: hook.priority ?? -Infinity };
      return reachable(chainName, chains, new Set()).map((text) => ({ ...place, text }));
    }),
  );
}

function reachable(name: string, chains: readonly TableChain[], seen: Set<string>): string[] {
  if (seen.has(name)) return [];
  seen.add(name);
  const rules = chains.find((chain) => chain.name === name)?.rules ?? [];
  return rules.flatMap((text) => {
    const targets = readListedRule(text).effects.flatMap((effect) => ('chain' in effect ? [effect.chain] : []));
    return [text, ...targets.flatMap((target) => reachable(target, chains, seen))];
  });
}
