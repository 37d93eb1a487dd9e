// The leftovers of kube-proxy in a network namespace, in any mode.

import { hostSystem, type System } from '../host/process/system.ts';
import { NftProgram } from '../nftables/client/nft-program.ts';
import { IptablesCleaner } from './iptables-cleaner.ts';
import { IptablesLegacyTables } from './iptables-legacy-tables.ts';
import { IptablesNftTables } from './iptables-nft-tables.ts';
import { IpvsCleaner } from './ipvs-cleaner.ts';
import { KubeProxyTableCleaner } from './kube-proxy-table-cleaner.ts';
import {
  type FindResult,
  type LeftoverCleaner,
  mergeFindResults,
  mergeRemovalResults,
  type RemovalResult,
} from './leftover-cleaner.ts';

/** Finds and removes the leftovers of kube-proxy. Rejects if nft cannot be run. */
export class KubeProxyLeftovers {
  readonly #tables: LeftoverCleaner;
  /** Removed before the ipsets of ipvs mode, which iptables rules use. */
  readonly #iptables: readonly LeftoverCleaner[];
  readonly #ipvs: IpvsCleaner;

  constructor({ nft, system = hostSystem }: { nft: string; system?: System }) {
    const nftProgram = new NftProgram({ command: nft, run: system.run });
    this.#tables = new KubeProxyTableCleaner(nftProgram);
    this.#iptables = [
      new IptablesCleaner(new IptablesNftTables(nftProgram)),
      new IptablesCleaner(new IptablesLegacyTables(system)),
    ];
    this.#ipvs = new IpvsCleaner(system);
  }

  async find(): Promise<FindResult> {
    return mergeFindResults(
      await Promise.all([this.#tables, ...this.#iptables, this.#ipvs].map((cleaner) => cleaner.find())),
    );
  }

  /** The number of connections that removing everything would break: those through IPVS. */
  countIpvsConnections(): Promise<number> {
    return this.#ipvs.countConnections();
  }

  /** Removes the tables of nftables mode, which is always safe. */
  removeTables(): Promise<RemovalResult> {
    return this.#tables.remove({ keepAccepting: false });
  }

  /** Removes everything, which breaks connections through IPVS. */
  async remove({ keepAccepting }: { keepAccepting: boolean }): Promise<RemovalResult> {
    const results: RemovalResult[] = [];
    for (const cleaner of [this.#tables, ...this.#iptables, this.#ipvs])
      results.push(await cleaner.remove({ keepAccepting }));
    return mergeRemovalResults(results);
  }
}
