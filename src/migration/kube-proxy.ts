// All that kube-proxy can have left in a network namespace, whichever mode it had.
import { Ipvs } from './ipvs.ts';
import { KubeTables } from './kube-tables.ts';
import { joinRemovals, joinSurveys, type Layer, type Removal, realSystem, type Survey, type System } from './layer.ts';
import { LegacyChains } from './legacy-chains.ts';
import { NftChains } from './nft-chains.ts';

/** Finds and removes what kube-proxy has left. Rejects when nft cannot be run. */
export class KubeProxyLeftovers {
  readonly #tables: Layer;
  /** In the order in which they have to go: iptables rules ask for the ipsets of mode ipvs. */
  readonly #chains: readonly Layer[];
  readonly #ipvs: Ipvs;

  constructor({ nft, system = realSystem }: { nft: string; system?: System }) {
    this.#tables = new KubeTables(system, { nft });
    this.#chains = [new NftChains(system, { nft }), new LegacyChains(system)];
    this.#ipvs = new Ipvs(system);
  }

  async find(): Promise<Survey> {
    return joinSurveys(await Promise.all([this.#tables, ...this.#chains, this.#ipvs].map((layer) => layer.find())));
  }

  /** How many connections removing everything would end: those through IPVS. */
  connections(): Promise<number> {
    return this.#ipvs.connections();
  }

  /** The tables of mode nftables, which stand in nobody's way. */
  removeTables(): Promise<Removal> {
    return this.#tables.remove({ keepAccepting: false });
  }

  /** Everything, connections through IPVS included. */
  async remove({ keepAccepting }: { keepAccepting: boolean }): Promise<Removal> {
    const parts: Removal[] = [];
    for (const layer of [this.#tables, ...this.#chains, this.#ipvs]) parts.push(await layer.remove({ keepAccepting }));
    return joinRemovals(parts);
  }
}
