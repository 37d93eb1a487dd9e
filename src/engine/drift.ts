// Compares the installed ruleset with the desired one.

import { FAMILIES, type Family } from '../net/family.ts';
import { isEndpointChain } from '../nftables/compile/endpoint-chains.ts';
import type { Change } from '../nftables/plan/ledger.ts';
import type { KernelListing, RuleCount } from '../nftables/syntax/kernel-listing.ts';
import { type ObjectRef, refKey } from '../nftables/syntax/object-ref.ts';
import type { Engine } from './engine.ts';

interface Drift {
  readonly family: Family;
  /** `set`, `map` or `chain`, and its name. */
  readonly object: string;
  /** The key of the element; empty for the object as a whole. */
  readonly key: string;
  readonly desired: string | undefined;
  readonly installed: string | undefined;
  /** The Service that it affects; empty where that is not known. */
  readonly service: string;
}

/** Compares the engine with a listing. The engine must have adopted that listing, and compiled, just before. */
export function findDrift(engine: Engine, listing: KernelListing): Drift[] {
  const installedKeys = new Set(listing.chains.map(refKey));
  const desiredChains = FAMILIES.flatMap((family) => desiredRuleCounts(engine, family).map(({ chain }) => chain));
  const desiredKeys = new Set(desiredChains.map(refKey));
  const missing = desiredChains.filter((chain) => !installedKeys.has(refKey(chain)));
  const unexpected = listing.chains.filter((chain) => !desiredKeys.has(refKey(chain)) && !isEndpointChain(chain.name));
  return [
    ...missing.map((chain) => chainDrift(chain, 'desired')),
    ...engine.differences().map(elementDrift),
    ...unexpected.map((chain) => chainDrift(chain, 'installed')),
  ];
}

function elementDrift({ object, key, installed, desired }: Change): Drift {
  return {
    family: object.family,
    object: `${object.kind} ${object.name}`,
    key,
    desired: desired === undefined ? undefined : withComment(desired),
    installed: installed === undefined ? undefined : withComment(installed),
    service: desired?.owner || (installed?.comment ?? '').replace(/:.*$/, ''),
  };
}

/** The chains that do not have the desired number of rules, those that do not exist included. */
export function modifiedChains(engine: Engine, ruleCounts: readonly RuleCount[]): ObjectRef[] {
  const installed = new Map(ruleCounts.map(({ chain, rules }) => [refKey(chain), rules]));
  return FAMILIES.flatMap((family) => desiredRuleCounts(engine, family))
    .filter(({ chain, rules }) => installed.get(refKey(chain)) !== rules)
    .map(({ chain }) => chain);
}

/** The drift of chains that exist with another number of rules. */
export function modifiedChainDrift(engine: Engine, ruleCounts: readonly RuleCount[]): Drift[] {
  const installed = new Map(ruleCounts.map(({ chain, rules }) => [refKey(chain), rules]));
  return modifiedChains(engine, ruleCounts).flatMap((chain): Drift[] => {
    const rules = installed.get(refKey(chain));
    if (rules === undefined) return [];
    return [{ ...chainDrift(chain, 'installed'), desired: 'our rules', installed: `${rules} rules` }];
  });
}

function desiredRuleCounts(engine: Engine, family: Family): RuleCount[] {
  return engine.chains(family).chains.map(({ name, rules }) => ({ chain: { family, name }, rules: rules.length }));
}

function withComment({ data, comment }: { data: string; comment: string }): string {
  return [data, comment === '' ? '' : `(${comment})`].filter((part) => part !== '').join(' ') || 'present';
}

function chainDrift({ family, name }: ObjectRef, side: 'desired' | 'installed'): Drift {
  const sides = { desired: undefined, installed: undefined, [side]: 'present' };
  return { family, object: `chain ${name}`, key: '', service: '', ...sides };
}

/** Lines as in a diff: `-` for the installed state, `+` for the desired one. */
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
