// All that kube-proxy can have left in a network namespace, whichever mode it had.

import { NftProgram } from '../nftables/client/nft-program.ts';
import { IptablesCleaner } from './iptables-cleaner.ts';
import { IptablesLegacyTables } from './iptables-legacy-tables.ts';
import { IptablesNftTables } from './iptables-nft-tables.ts';
import { IpvsCleaner } from './ipvs-cleaner.ts';
import { KubeProxyTableCleaner } from './kube-proxy-table-cleaner.ts';
import {
  type FindResult,
  hostSystem,
  type LeftoverCleaner,
  mergeFindResults,
  mergeRemovalResults,
  type RemovalResult,
  type System,
} from './leftover-cleaner.ts';

/** Finds and removes what kube-proxy has left. Rejects when nft cannot be run. */
export class KubeProxyLeftovers {
  readonly #tables: LeftoverCleaner;
  /** In the order in which they have to go: iptables rules ask for the ipsets of mode ipvs. */
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

  /** How many connections removing everything would end: those through IPVS. */
  countIpvsConnections(): Promise<number> {
    return this.#ipvs.countConnections();
  }

  /** The tables of mode nftables, which stand in nobody's way. */
  removeTables(): Promise<RemovalResult> {
    return this.#tables.remove({ keepAccepting: false });
  }

  /** Everything, connections through IPVS included. */
  async remove({ keepAccepting }: { keepAccepting: boolean }): Promise<RemovalResult> {
    const results: RemovalResult[] = [];
    for (const cleaner of [this.#tables, ...this.#iptables, this.#ipvs])
      results.push(await cleaner.remove({ keepAccepting }));
    return mergeRemovalResults(results);
  }
}
