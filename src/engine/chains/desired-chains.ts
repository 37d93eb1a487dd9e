// The desired chains of a family, and the sets and maps that depend on them.

import { compare } from '../../lib/compare.ts';
import type { Family } from '../../net/family.ts';
import { endpointChain } from '../../nftables/compile/endpoint-chains.ts';
import type { NodeView } from '../../nftables/compile/node-view.ts';
import { resetConnections } from '../../nftables/compile/sets-and-maps.ts';
import { staticChains } from '../../nftables/compile/static-chains.ts';
import type { SetOrMap } from '../../nftables/syntax/element.ts';
import type { ObjectRef } from '../../nftables/syntax/object-ref.ts';
import type { Chain } from '../../nftables/syntax/statement.ts';

export interface DesiredChains {
  readonly chains: Chain[];
  /** Sets and maps that exist only together with chains. We add no elements to them. */
  readonly dynamicSets: SetOrMap[];
}

/**
 * The static chains first, then the targets of elements, sorted by name; `targets` are those of both families. None of
 * a family that this machine lacks.
 */
export function desiredChains(family: Family, node: NodeView, targets: Iterable<ObjectRef>): DesiredChains {
  if (!node.families.includes(family)) return { chains: [], dynamicSets: [] };
  const fixed = staticChains(family, node);
  const fixedNames = new Set(fixed.map((chain) => chain.name));
  const names = [...targets].filter((target) => target.family === family).map(({ name }) => name);
  const endpointChains = names
    .filter((name) => !fixedNames.has(name))
    .sort(compare)
    .map((name) => endpointChain(name, family, node));
  const affinityMaps = new Map(
    endpointChains.flatMap(({ setsAndMaps }) => setsAndMaps).map((object) => [object.name, object]),
  );
  const resetSets = node.resetsConnections ? [resetConnections(family)] : [];
  return {
    chains: [...fixed, ...endpointChains.flatMap(({ chains }) => chains)],
    dynamicSets: [...resetSets, ...affinityMaps.values()],
  };
}
