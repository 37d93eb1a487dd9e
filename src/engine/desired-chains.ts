// All chains that a family has, and what they use.

import type { Family } from '../net/family.ts';
import { endpointChain } from '../nftables/compile/endpoint-chains.ts';
import type { NodeView } from '../nftables/compile/node-view.ts';
import { resetConnections } from '../nftables/compile/sets-and-maps.ts';
import { staticChains } from '../nftables/compile/static-chains.ts';
import type { SetOrMap } from '../nftables/syntax/element.ts';
import type { Chain } from '../nftables/syntax/statement.ts';

export interface DesiredChains {
  readonly chains: Chain[];
  /** Sets and maps that come and go with chains, and that nobody's elements are in. */
  readonly dynamicSets: SetOrMap[];
}

/**
 * Those that are always there first, then those that elements lead to, of which `all` names both families'. None of a
 * family that this machine has not.
 */
export function desiredChains(family: Family, node: NodeView, all: readonly string[]): DesiredChains {
  if (!node.families.includes(family)) return { chains: [], dynamicSets: [] };
  const staticOnes = staticChains(family, node);
  const names = new Set(staticOnes.map((chain) => chain.name));
  const targets = all.filter((target) => target.startsWith(`${family} `));
  const endpointChainNames = targets
    .map((target) => target.slice(family.length + 1))
    .filter((name) => !names.has(name));
  const endpointChains = endpointChainNames.map((name) => endpointChain(name, family, node));
  const affinityMaps = new Map(
    endpointChains.flatMap(({ setsAndMaps }) => setsAndMaps).map((object) => [object.name, object]),
  );
  const resetSets = node.resetsConnections ? [resetConnections(family)] : [];
  return {
    chains: [...staticOnes, ...endpointChains.flatMap(({ chains }) => chains)],
    dynamicSets: [...resetSets, ...affinityMaps.values()],
  };
}
