// Where the kernel holds something else than what is wanted.

import { FAMILIES } from '../net/family.ts';
import { isLed } from '../nftables/compile/led-chains.ts';
import type { Engine, KernelListing } from './engine.ts';

export interface Drift {
  readonly family: 'ip' | 'ip6';
  /** `set`, `map` or `chain`, and its name. */
  readonly object: string;
  /** The element; empty when the object as a whole is meant. */
  readonly key: string;
  readonly wanted: string | undefined;
  readonly held: string | undefined;
  /** The Service that it is about, as far as it is known. */
  readonly service: string;
}

/** Differences between what the engine wants and a listing; the engine must be fresh, and is used up by this. */
export function findDrift(engine: Engine, listing: KernelListing): Drift[] {
  const chains = new Set(listing.chains);
  const wanted = new Set(
    (['ip', 'ip6'] as const).flatMap((family) => engine.chains(family).chains.map((c) => `${family} ${c.name}`)),
  );
  const changes = engine.differences().map(({ object, key, held, wanted: element }): Drift => {
    return {
      family: object.family,
      object: `${object.kind} ${object.name}`,
      key,
      wanted: element === undefined ? undefined : withComment(element),
      held: held === undefined ? undefined : withComment(held),
      service: element?.owner || (held?.comment ?? '').replace(/:.*$/, ''),
    };
  });
  const missing = [...wanted].filter((target) => !chains.has(target)).map((target) => chainDrift(target, 'wanted'));
  const foreign = [...chains].filter((target) => !wanted.has(target) && !isLed(target.split(' ')[1] ?? ''));
  const extra = foreign.map((target) => chainDrift(target, 'held'));
  return [...missing, ...changes, ...extra];
}

/** The chains whose number of rules is not the wanted one, as `family name`; one that is not there counts as altered. */
export function alteredChains(engine: Engine, ruleCounts: ReadonlyMap<string, number>): string[] {
  return FAMILIES.flatMap((family) =>
    engine
      .chains(family)
      .chains.filter((chain) => ruleCounts.get(`${family} ${chain.name}`) !== chain.rules.length)
      .map((chain) => `${family} ${chain.name}`),
  );
}

/** The drift of chains that are there, with another number of rules. */
export function alteredDrift(engine: Engine, ruleCounts: ReadonlyMap<string, number>): Drift[] {
  return alteredChains(engine, ruleCounts)
    .filter((target) => ruleCounts.has(target))
    .map((target) => ({ ...chainDrift(target, 'held'), wanted: 'our rules', held: `${ruleCounts.get(target)} rules` }));
}

function withComment({ data, comment }: { data: string; comment: string }): string {
  return [data, comment === '' ? '' : `(${comment})`].filter((part) => part !== '').join(' ') || 'present';
}

function chainDrift(target: string, side: 'wanted' | 'held'): Drift {
  const [family = '', name = ''] = target.split(' ');
  const there = { wanted: undefined, held: undefined, [side]: 'present' };
  return { family: family === 'ip6' ? 'ip6' : 'ip', object: `chain ${name}`, key: '', service: '', ...there };
}

/** One line for each difference: `-` what the kernel holds, `+` what is wanted. */
export function printDrift(drifts: readonly Drift[]): string {
  return drifts
    .flatMap(({ family, object, key, wanted, held }) => {
      const where = [family, object, key].filter((part) => part !== '').join(' ');
      return [
        ...(held === undefined ? [] : [`- ${where}: ${held}`]),
        ...(wanted === undefined ? [] : [`+ ${where}: ${wanted}`]),
      ];
    })
    .join('\n');
}
