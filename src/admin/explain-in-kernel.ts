// Explains a flow by the ruleset in the kernel.

import { printDrift, structureDrift } from '../engine/drift.ts';
import { type ComparedExplanation, type ExplainInput, explain } from '../explain/explanation.ts';
import type { Packet } from '../explain/flow/packet.ts';
import { ElementCache, type ElementKeys } from '../explain/ruleset/element-cache.ts';
import { kernelRuleset } from '../explain/ruleset/kernel-ruleset.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { type ElementQuery, lookUpElements } from '../nftables/client/element-lookup.ts';
import type { NftProgram } from '../nftables/client/nft-program.ts';
import type { KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../nftables/syntax/listed-table.ts';
import { TABLE } from '../nftables/syntax/operation.ts';

interface ExplainKernel extends Omit<ExplainInput, 'ruleset'> {
  readonly program: NftProgram;
}

/** Traces the packet, and reads the elements that the trace needs until it has all. */
export async function explainInKernel(
  packet: Packet,
  tables: readonly ListedTable[],
  { program, ...input }: ExplainKernel,
): Promise<ComparedExplanation> {
  const { engine } = input;
  const { family } = packet;
  const cache = new ElementCache();
  const ruleset = kernelRuleset(tables, family, cache.find);
  let explained = explain(packet, { ...input, ruleset });
  for (let missed = cache.takeMissed(); missed.size > 0; missed = cache.takeMissed()) {
    cache.add(missed, await lookUpElements(program, family, toQueries(missed, tables, family)));
    explained = explain(packet, { ...input, ruleset });
  }
  const changes = engine.foreignChanges.compareTables(tables, engine.node).filter((change) => change.family === family);
  const lines = printDrift(changes.flatMap(structureDrift)).split('\n');
  return { ...explained, differences: [...explained.differences, ...lines.filter((line) => line !== '')] };
}

function toQueries(keys: ElementKeys, tables: readonly ListedTable[], family: Family): ElementQuery[] {
  const table = tables.find((candidate) => candidate.family === family && candidate.name === TABLE);
  return [...keys].flatMap(([name, objectKeys]) => {
    const object = table?.setsAndMaps.find((candidate) => candidate.name === name);
    if (object === undefined) return [];
    const isInterval = object.properties.some((property) => /^flags .*interval/.test(property));
    return [{ kind: object.kind, name, isInterval, keys: [...objectKeys] }];
  });
}

/** A listing without elements: which slots endpoints have does not matter for an explanation. */
export function toChainListing(tables: readonly ListedTable[]): KernelListing {
  const ours = tables.filter(({ family, name }) => name === TABLE && FAMILIES.some((known) => known === family));
  const chains = ours.flatMap((table) => table.chains.map(({ name }) => ({ family: table.family as Family, name })));
  return { elements: new Map(), chains };
}
