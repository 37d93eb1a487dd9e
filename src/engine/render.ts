// The whole ruleset as one nft file, as `nftlane render` prints it.

import type { Family } from '../net/family.ts';
import { OBJECTS } from '../nftables/compile/objects.ts';
import { chainBlock, objectBlock, tableBlock } from '../nftables/syntax/block.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import type { Engine } from './engine.ts';

/**
 * A file that `nft -f` loads as it is: it replaces our tables in one transaction, whatever they held before.
 * The same objects give the same bytes.
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
  const { chains, memories } = engine.chains(family);
  return tableBlock(`${family} ${TABLE}`, [
    ...Object.values(OBJECTS[family]).map((object) => objectBlock(object, engine.elements(object))),
    ...memories.map((object) => objectBlock(object, [])),
    ...chains.map((chain) => chainBlock(chain, family)),
  ]);
}
