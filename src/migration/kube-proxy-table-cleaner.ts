// Leftovers of kube-proxy's nftables mode: its two tables.

import { FAMILIES } from '../net/family.ts';
import type { NftProgram } from '../nftables/client/nft-program.ts';
import { type FindResult, type LeftoverCleaner, NOTHING_REMOVED, type RemovalResult } from './leftover-cleaner.ts';

const TABLE = 'kube-proxy';

export class KubeProxyTableCleaner implements LeftoverCleaner {
  readonly #nft: NftProgram;

  constructor(nft: NftProgram) {
    this.#nft = nft;
  }

  async find(): Promise<FindResult> {
    return { leftovers: (await this.#tables()).map((table) => `nftables ${table}`), failures: [] };
  }

  /** Removes both tables in one transaction. Established flows keep their translation, which is in conntrack. */
  async remove(): Promise<RemovalResult> {
    const tables = await this.#tables();
    if (tables.length === 0) return NOTHING_REMOVED;
    const [error] = await this.#nft.apply(tables.map((table) => `delete ${table}\n`).join(''));
    const names = tables.map((table) => `nftables ${table}`);
    if (error === undefined) return { removed: names, kept: [], failures: [] };
    return { removed: [], kept: [], failures: [`Cannot remove ${names.join(', ')}: ${error.message}`] };
  }

  async #tables(): Promise<string[]> {
    const tables = await this.#nft.listTables();
    const families = FAMILIES.filter((family) =>
      tables.some((table) => table.family === family && table.name === TABLE),
    );
    return families.map((family) => `table ${family} ${TABLE}`);
  }
}
