// Prints the complete ruleset as an nft file, for `nftlane render`.

import type { Family } from '../net/family.ts';
import { lastTransaction, SETS_AND_MAPS } from '../nftables/compile/sets-and-maps.ts';
import { chainBlock, setOrMapBlock, tableBlock } from '../nftables/syntax/block.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import type { Engine } from './engine.ts';

/**
 * A file for `nft -f` that replaces our tables in one transaction, regardless of their content. The same objects give the
 * same bytes.
 */
export function render(engine: Engine): string {
  return engine.node.families
    .map((family) => {
      const table = `${family} ${TABLE}`;
      return `table ${table}\ndelete table ${table}\n${renderTable(engine, family)}`;
    })
    .join('\n');
}

function renderTable(engine: Engine, family: Family): string {
  const { chains, dynamicSets } = engine.chains(family);
  return tableBlock(`${family} ${TABLE}`, [
    ...Object.values(SETS_AND_MAPS[family]).map((object) => setOrMapBlock(object, engine.elements(object))),
    setOrMapBlock(lastTransaction(family), []),
    ...dynamicSets.map((object) => setOrMapBlock(object, [])),
    ...chains.map((chain) => chainBlock(chain, family)),
  ]);
}
