// Where the kernel holds something else than what is wanted.

import { FAMILIES } from '../net/family.ts';
import { isEndpointChain } from '../nftables/compile/endpoint-chains.ts';
import type { Engine, KernelListing } from './engine.ts';

export interface Drift {
  readonly family: 'ip' | 'ip6';
  /** `set`, `map` or `chain`, and its name. */
  readonly object: string;
  /** The element; empty when the object as a whole is meant. */
  readonly key: string;
  readonly desired: string | undefined;
  readonly installed: string | undefined;
  /** The Service that it is about, as far as it is known. */
  readonly service: string;
}

/** Differences between what the engine wants and a listing; the engine must be fresh, and is used up by this. */
export function findDrift(engine: Engine, listing: KernelListing): Drift[] {
  const chains = new Set(listing.chains);
  const desiredChains = new Set(
    (['ip', 'ip6'] as const).flatMap((family) => engine.chains(family).chains.map((c) => `${family} ${c.name}`)),
  );
  const changes = engine.differences().map(({ object, key, installed, desired: element }): Drift => {
    return {
      family: object.family,
      object: `${object.kind} ${object.name}`,
      key,
      desired: element === undefined ? undefined : withComment(element),
      installed: installed === undefined ? undefined : withComment(installed),
      service: element?.owner || (installed?.comment ?? '').replace(/:.*$/, ''),
    };
  });
  const missing = [...desiredChains]
    .filter((target) => !chains.has(target))
    .map((target) => chainDrift(target, 'desired'));
  const unexpected = [...chains].filter(
    (target) => !desiredChains.has(target) && !isEndpointChain(target.split(' ')[1] ?? ''),
  );
  const extra = unexpected.map((target) => chainDrift(target, 'installed'));
  return [...missing, ...changes, ...extra];
}

/** The chains whose number of rules is not the wanted one, as `family name`; one that is not there counts as altered. */
export function modifiedChains(engine: Engine, ruleCounts: ReadonlyMap<string, number>): string[] {
  return FAMILIES.flatMap((family) =>
    engine
      .chains(family)
      .chains.filter((chain) => ruleCounts.get(`${family} ${chain.name}`) !== chain.rules.length)
      .map((chain) => `${family} ${chain.name}`),
  );
}

/** The drift of chains that are there, with another number of rules. */
export function modifiedChainDrift(engine: Engine, ruleCounts: ReadonlyMap<string, number>): Drift[] {
  return modifiedChains(engine, ruleCounts)
    .filter((target) => ruleCounts.has(target))
    .map((target) => ({
      ...chainDrift(target, 'installed'),
      desired: 'our rules',
      installed: `${ruleCounts.get(target)} rules`,
    }));
}

function withComment({ data, comment }: { data: string; comment: string }): string {
  return [data, comment === '' ? '' : `(${comment})`].filter((part) => part !== '').join(' ') || 'present';
}

function chainDrift(target: string, side: 'desired' | 'installed'): Drift {
  const [family = '', name = ''] = target.split(' ');
  const sides = { desired: undefined, installed: undefined, [side]: 'present' };
  return { family: family === 'ip6' ? 'ip6' : 'ip', object: `chain ${name}`, key: '', service: '', ...sides };
}

/** One line for each difference: `-` what the kernel holds, `+` what is wanted. */
export function printDrift(drifts: readonly Drift[]): string {
  return drifts
    .flatMap(({ family, object, key, desired, installed }) => {
      const where = [family, object, key].filter((part) => part !== '').join(' ');
      return [
        ...(installed === undefined ? [] : [`- ${where}: ${installed}`]),
        ...(desired === undefined ? [] : [`+ ${where}: ${desired}`]),
      ];
    })
    .join('\n');
}
