// The ruleset that the kernel holds, rebuilt from its listing and from the chains that this version writes.
import type { Engine, KernelListing } from '../../engine/engine.ts';
import type { Family } from '../../net/family.ts';
import { endpointChain, isEndpointChain } from '../../nftables/compile/endpoint-chains.ts';
import type { Chain } from '../../nftables/syntax/statement.ts';
import { createRuleset, type Ruleset } from './ruleset.ts';

/** Chains that the kernel lacks are left out; stale endpoint chains are rebuilt from their names. */
export function kernelRuleset(
  engine: Engine,
  { elements, chains: listedChains }: KernelListing,
  family: Family,
): Ruleset {
  const prefix = `${family} `;
  const desired = new Map(engine.chains(family).chains.map((chain) => [chain.name, chain]));
  const names = listedChains.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const chains = names.flatMap((name): Chain[] => {
    const chain = desired.get(name);
    return chain === undefined ? endpointChainIfStale(name, family, engine) : [chain];
  });
  const objects = [...elements].filter(([object]) => object.startsWith(prefix));
  const elementsByObject = objects.map(([object, byKey]) => {
    const list = [...byKey].map(([key, { data, comment }]) => ({ key, data, comment }));
    return [object.slice(prefix.length), list] as const;
  });
  return createRuleset(family, chains, new Map(elementsByObject));
}

function endpointChainIfStale(name: string, family: Family, engine: Engine): Chain[] {
  return isEndpointChain(name) && !name.startsWith('direct-affinity-')
    ? [...endpointChain(name, family, engine.node).chains]
    : [];
}

/** Chains whose number of rules differs from what this version writes: rules added by others are not traced. */
export function ruleCountMismatches({ family, chains }: Ruleset, ruleCounts: ReadonlyMap<string, number>): string[] {
  const ofFamily = [...ruleCounts].filter(([target]) => target.startsWith(`${family} `));
  return ofFamily.flatMap(([target, count]) => {
    const name = target.slice(family.length + 1);
    const expected = chains.get(name)?.rules.length;
    if (expected === count) return [];
    if (expected === undefined) return [`chain ${name} of the kernel is none that we write`];
    return [`chain ${name} of the kernel has ${count} rules instead of ${expected}`];
  });
}
