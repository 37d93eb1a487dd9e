// The ruleset in the kernel, rebuilt from its listing and from the chains that this version writes.

import type { Engine } from '../../engine/engine.ts';
import type { Family } from '../../net/family.ts';
import { endpointChain, isEndpointChain } from '../../nftables/compile/endpoint-chains.ts';
import { SETS_AND_MAPS } from '../../nftables/compile/sets-and-maps.ts';
import type { KernelListing } from '../../nftables/syntax/kernel-listing.ts';
import { refKey } from '../../nftables/syntax/object-ref.ts';
import type { Chain } from '../../nftables/syntax/statement.ts';
import { createRuleset, type Ruleset } from './ruleset.ts';

/** Chains that the kernel lacks are left out; stale endpoint chains are rebuilt from their names. */
export function kernelRuleset(
  engine: Engine,
  { elements, chains: listedChains }: KernelListing,
  family: Family,
): Ruleset {
  const desired = new Map(engine.chains(family).chains.map((chain) => [chain.name, chain]));
  const ofFamily = listedChains.filter((chain) => chain.family === family);
  const chains = ofFamily.flatMap(({ name }): Chain[] => {
    const chain = desired.get(name);
    return chain === undefined ? endpointChainIfStale(name, family, engine) : [chain];
  });
  const elementsByObject = Object.values(SETS_AND_MAPS[family]).flatMap((object) => {
    const byKey = elements.get(refKey(object));
    if (byKey === undefined) return [];
    return [[object.name, [...byKey].map(([key, { data, comment }]) => ({ key, data, comment }))] as const];
  });
  return createRuleset(family, chains, new Map(elementsByObject));
}

function endpointChainIfStale(name: string, family: Family, engine: Engine): Chain[] {
  return isEndpointChain(name) && !name.startsWith('direct-affinity-')
    ? [...endpointChain(name, family, engine.node).chains]
    : [];
}
