// All chains that a family has, and what they use.

import type { Family } from '../net/family.ts';
import { staticChains } from '../nftables/compile/chains.ts';
import { led } from '../nftables/compile/led-chains.ts';
import type { NodeView } from '../nftables/compile/node-view.ts';
import { endedFlows } from '../nftables/compile/objects.ts';
import type { NftObject } from '../nftables/syntax/element.ts';
import type { Chain } from '../nftables/syntax/statement.ts';

export interface WantedChains {
  readonly chains: Chain[];
  /** Sets and maps that come and go with chains, and that nobody's elements are in. */
  readonly memories: NftObject[];
}

/**
 * Those that are always there first, then those that elements lead to, of which `all` names both families'. None of a
 * family that this machine has not.
 */
export function wantedChains(family: Family, node: NodeView, all: readonly string[]): WantedChains {
  if (!node.families.includes(family)) return { chains: [], memories: [] };
  const fixed = staticChains(family, node);
  const names = new Set(fixed.map((chain) => chain.name));
  const targets = all.filter((target) => target.startsWith(`${family} `));
  const wanted = targets.map((target) => target.slice(family.length + 1)).filter((name) => !names.has(name));
  const units = wanted.map((name) => led(name, family, node));
  const memories = new Map(units.flatMap(({ objects }) => objects).map((object) => [object.name, object]));
  const ended = node.resetsEnded ? [endedFlows(family)] : [];
  return { chains: [...fixed, ...units.flatMap(({ chains }) => chains)], memories: [...ended, ...memories.values()] };
}
