// Compares our tables in the kernel with the desired ones: flags, base chains, rules, declarations of sets and maps.

import type { Family } from '../../net/family.ts';
import { affinityMapNamesOf, endpointChainIfKnown } from '../../nftables/compile/endpoint-chains.ts';
import type { NodeView } from '../../nftables/compile/node-view.ts';
import type { SetOrMap } from '../../nftables/syntax/element.ts';
import { normalDeclaration } from '../../nftables/syntax/listed/declaration.ts';
import { printListedHook } from '../../nftables/syntax/listed/listed-hook.ts';
import { normalRule } from '../../nftables/syntax/listed/rule-parser.ts';
import type { ListedHook, ListedTable, TableChain } from '../../nftables/syntax/listed-table.ts';
import { type RefKey, refKey } from '../../nftables/syntax/object-ref.ts';
import { TABLE } from '../../nftables/syntax/operation.ts';
import { type Chain, printHook, printRule } from '../../nftables/syntax/statement.ts';

/** What a table of ours should have, except elements. */
interface DesiredTable {
  readonly family: Family;
  readonly chains: readonly Chain[];
  readonly setsAndMaps: readonly SetOrMap[];
}

export interface StructureDifference {
  readonly family: Family;
  /** `table`, `chain`, `set`, `map`, or another kind of object that nft has. */
  readonly kind: string;
  /** Empty for the table. */
  readonly name: string;
  readonly state: 'missing' | 'unexpected' | 'changed';
  /** In normal form, line by line: flags, hook and rules, or properties. */
  readonly desired: readonly string[];
  readonly installed: readonly string[];
  /** It cannot be changed in place: its hook or its declaration differs. */
  readonly needsReplacement: boolean;
}

/** A chain as the kernel has it. */
export interface ListedChain {
  /** In the form of {@link printHook}, with our policy; empty without a hook. */
  readonly hook: string;
  /** See {@link linesOfChain}; `undefined` if others have changed them. */
  readonly lines: readonly string[] | undefined;
}

/** Flags that only say who may change the table. */
const OWNERSHIP_FLAGS = ['owner', 'persist'];

/**
 * The differences between a desired table and the listed one. Chains that elements referred to until recently are not
 * differences while they have our rules.
 */
export function compareTable(
  { family, chains, setsAndMaps }: DesiredTable,
  tables: readonly ListedTable[],
  node: NodeView,
): StructureDifference[] {
  const table = tables.find((candidate) => candidate.family === family && candidate.name === TABLE);
  const isServed = node.families.includes(family);
  if (table === undefined) {
    return isServed ? [{ ...blank(family, 'table', ''), state: 'missing', desired: ['present'] }] : [];
  }
  const stale = staleChains(table, { chains, node });
  const chainDifferences = compareChains(family, { desired: chains, listed: table.chains, stale });
  if (!isServed) return chainDifferences;
  const flags = foreignFlags(table).map((flag) => `flags ${flag}`);
  return [
    ...(flags.length === 0 ? [] : [{ ...blank(family, 'table', ''), state: 'changed' as const, installed: flags }]),
    ...chainDifferences,
    ...compareDeclarations(family, { desired: setsAndMaps, table, stale }),
    ...table.others.map(({ kind, name }) => ({
      ...blank(family, kind, name),
      state: 'unexpected' as const,
      installed: ['present'],
    })),
  ];
}

/** The flags of a table that do not only say who may change it. */
export function foreignFlags({ flags }: ListedTable): string[] {
  return flags.filter((flag) => !OWNERSHIP_FLAGS.includes(flag));
}

type Blank = Pick<StructureDifference, 'family' | 'kind' | 'name' | 'desired' | 'installed' | 'needsReplacement'>;

function blank(family: Family, kind: string, name: string): Blank {
  return { family, kind, name, desired: [], installed: [], needsReplacement: false };
}

/** The listed chains that are not desired any more, with the rules that they should have. */
function staleChains(
  { family, chains: listed }: ListedTable,
  { chains, node }: { chains: readonly Chain[]; node: NodeView },
): Map<string, Chain> {
  const desired = new Set(chains.map(({ name }) => name));
  const stale = new Map<string, Chain>();
  for (const { name } of listed) {
    if (desired.has(name)) continue;
    for (const chain of endpointChainIfKnown(name, family as Family, node)?.chains ?? [])
      if (!desired.has(chain.name)) stale.set(chain.name, chain);
  }
  return stale;
}

function compareChains(
  family: Family,
  {
    desired,
    listed,
    stale,
  }: { desired: readonly Chain[]; listed: readonly TableChain[]; stale: ReadonlyMap<string, Chain> },
): StructureDifference[] {
  const desiredByName = new Map(desired.map((chain) => [chain.name, chain]));
  const listedNames = new Set(listed.map(({ name }) => name));
  const missing = desired.filter(({ name }) => !listedNames.has(name));
  return [
    ...missing.map((chain) => ({
      ...blank(family, 'chain', chain.name),
      state: 'missing' as const,
      desired: linesOfChain(chain, family),
    })),
    ...listed.flatMap((chain): StructureDifference[] => {
      const expected = desiredByName.get(chain.name) ?? stale.get(chain.name);
      const installed = linesOfListedChain(chain, family);
      const lines = expected === undefined ? [] : linesOfChain(expected, family);
      if (expected !== undefined && isEqual(lines, installed)) return [];
      const found = { ...blank(family, 'chain', chain.name), installed };
      if (!desiredByName.has(chain.name)) return [{ ...found, state: 'unexpected' }];
      const hook = expected?.hook === undefined ? '' : printHook(expected.hook);
      const needsReplacement = comparableHook(chain.hook) !== hook;
      return [{ ...found, state: 'changed', desired: lines, needsReplacement }];
    }),
  ];
}

/** The differences of sets and maps. The maps of `stale` chains may be left. */
export function compareDeclarations(
  family: Family,
  { desired, table, stale }: { desired: readonly SetOrMap[]; table: ListedTable; stale: ReadonlyMap<string, Chain> },
): StructureDifference[] {
  const desiredByName = new Map(desired.map((object) => [object.name, object]));
  const usedByStale = new Set([...stale.keys()].flatMap(affinityMapNamesOf));
  const listedNames = new Set(table.setsAndMaps.map(({ name }) => name));
  const missing = desired.filter(({ name }) => !listedNames.has(name));
  return [
    ...missing.map((object) => ({
      ...blank(family, object.kind, object.name),
      state: 'missing' as const,
      desired: propertiesOf(object),
    })),
    ...table.setsAndMaps.flatMap(({ kind, name, properties }): StructureDifference[] => {
      const object = desiredByName.get(name);
      if (object === undefined && usedByStale.has(name)) return [];
      const found = { ...blank(family, kind, name), installed: normalDeclaration(properties) };
      if (object === undefined) return [{ ...found, state: 'unexpected' }];
      const declared = propertiesOf(object);
      if (object.kind === kind && isEqual(declared, found.installed)) return [];
      return [{ ...found, state: 'changed', desired: declared, needsReplacement: true }];
    }),
  ];
}

function propertiesOf({ body }: SetOrMap): string[] {
  const properties = body.split(';').map((part) => part.trim());
  return normalDeclaration(properties.filter((part) => part !== ''));
}

/** The hook of a chain, if it has one, and its rules, in normal form. */
export function linesOfChain({ hook, rules }: Chain, family: Family): string[] {
  return [
    ...(hook === undefined ? [] : [printHook(hook)]),
    ...rules.map((rule) => normalRule(printRule(rule, family), family)),
  ];
}

/** The chains of our tables in the kernel. */
export function listedChains(tables: readonly ListedTable[]): Map<RefKey, ListedChain> {
  return new Map(
    tables.flatMap(({ family: name, chains }) => {
      const family = name as Family;
      return chains.map((chain): [RefKey, ListedChain] => [
        refKey({ family, name: chain.name }),
        { hook: comparableHook(chain.hook), lines: linesOfListedChain(chain, family) },
      ]);
    }),
  );
}

function linesOfListedChain({ hook, rules }: TableChain, family: Family): string[] {
  return [...(hook === undefined ? [] : [printListedHook(hook)]), ...rules.map((rule) => normalRule(rule, family))];
}

/** The hook in the form of {@link printHook}, with our policy, which can be changed in place; empty without a hook. */
function comparableHook(hook: ListedHook | undefined): string {
  return hook === undefined ? '' : printListedHook({ ...hook, policy: 'accept' });
}

export function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}
