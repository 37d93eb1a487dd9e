// Whether sets and maps in the kernel are declared differently.

import type { Family } from '../../net/family.ts';
import { affinityMapNamesOf } from '../../nftables/compile/endpoint-chains.ts';
import { affinityMap, lastTransaction, resetConnections, SETS_AND_MAPS } from '../../nftables/compile/sets-and-maps.ts';
import type { SetOrMap } from '../../nftables/syntax/element.ts';
import type { ListedTable } from '../../nftables/syntax/listed-table.ts';
import type { AcceptedForms } from './accepted-forms.ts';
import { compareDeclarations } from './compare-tables.ts';

/** Whether a set or map of ours has another kind or other properties. Those cannot be changed in place. */
export function hasOtherDeclarations(table: ListedTable, acceptedForms: AcceptedForms): boolean {
  const family = table.family as Family;
  const desired = table.setsAndMaps.flatMap(({ name }) => declarationOf(family, name) ?? []);
  const differences = compareDeclarations(family, { desired, table, stale: new Map() });
  return differences.some((difference) => difference.state === 'changed' && !acceptedForms.has(difference));
}

function declarationOf(family: Family, name: string): SetOrMap | undefined {
  const named: Readonly<Record<string, SetOrMap>> = SETS_AND_MAPS[family];
  if (Object.hasOwn(named, name)) return named[name];
  const filledAtRunTime = [resetConnections(family), lastTransaction(family)].find((set) => set.name === name);
  if (filledAtRunTime !== undefined) return filledAtRunTime;
  return affinityMapNamesOf(name).includes(name) ? affinityMap(family, name) : undefined;
}
