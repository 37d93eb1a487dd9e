// Whether tables, sets and maps in the kernel are declared as ours are.

import type { Family } from '../../net/family.ts';
import { affinityMapNamesOf } from '../../nftables/compile/endpoint-chains.ts';
import { affinityMap, lastTransaction, resetConnections, SETS_AND_MAPS } from '../../nftables/compile/sets-and-maps.ts';
import type { SetOrMap } from '../../nftables/syntax/element.ts';
import type { ListedTable } from '../../nftables/syntax/listed-table.ts';
import type { AcceptedForms } from './accepted-forms.ts';
import { compareDeclarations, foreignFlags } from './compare-tables.ts';

/** Whether a set or map of ours has another kind or other properties. Those cannot be changed in place. */
export function hasOtherDeclarations(table: ListedTable, acceptedForms: AcceptedForms): boolean {
  const family = table.family as Family;
  const desired = table.setsAndMaps.flatMap(({ name }) => declarationOf(family, name) ?? []);
  const differences = compareDeclarations(family, { desired, table, stale: new Map() });
  return differences.some((difference) => difference.state === 'changed' && !acceptedForms.has(difference));
}

/** Whether a table has all sets and maps that ours always have, declared as ours, and no flags of others, such as `dormant`. */
export function isDeclared(table: ListedTable): boolean {
  const family = table.family as Family;
  const desired = [...Object.values(SETS_AND_MAPS[family]), lastTransaction(family)];
  const names = new Set(desired.map(({ name }) => name));
  const setsAndMaps = table.setsAndMaps.filter(({ name }) => names.has(name));
  const differences = compareDeclarations(family, { desired, table: { ...table, setsAndMaps }, stale: new Map() });
  return differences.length === 0 && foreignFlags(table).length === 0;
}

function declarationOf(family: Family, name: string): SetOrMap | undefined {
  const named: Readonly<Record<string, SetOrMap>> = SETS_AND_MAPS[family];
  if (Object.hasOwn(named, name)) return named[name];
  const filledAtRunTime = [resetConnections(family), lastTransaction(family)].find((set) => set.name === name);
  if (filledAtRunTime !== undefined) return filledAtRunTime;
  return affinityMapNamesOf(name).includes(name) ? affinityMap(family, name) : undefined;
}
