// What all Services together ask of the programs: who is dialled at which address of this node.

import type { Engine } from '../../engine/engine.ts';
import { type Address, familyOf, isLoopback } from '../../net/address.ts';
import type { NodeView } from '../../nftables/compile/node-view.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import type { FrontendKey } from '../maps/entries.ts';
import { type Demands, demandsOf, type Endpoint, type Left } from './demand.ts';

/** One address, port and protocol that can be dialled, and who answers there. */
export interface WantedFrontend {
  readonly name: string;
  readonly servicePort: string;
  readonly kind: Frontend['kind'];
  readonly key: FrontendKey;
  /** Each as often as its weight says; never empty. */
  readonly endpoints: readonly Endpoint[];
}

/** A frontend that stays with nft, and the addresses at which it is dialled. */
export interface LeftAt extends Left {
  readonly addresses: readonly Address[];
}

export interface Wanted {
  readonly frontends: readonly WantedFrontend[];
  readonly left: readonly LeftAt[];
}

/** Listens to the engine. */
export class DemandBook {
  readonly #engine: Pick<Engine, 'onCompiled' | 'store' | 'node' | 'model' | 'refusals'>;
  readonly #demands = new Map<string, Demands>();
  /** Frontends with an address of their own, whatever their policy, by who has them: they go before node ports. */
  readonly #dialled = new Map<string, string>();
  readonly #dialledBy = new Map<string, readonly string[]>();
  #changed = true;

  constructor(engine: Pick<Engine, 'onCompiled' | 'store' | 'node' | 'model' | 'refusals'>) {
    this.#engine = engine;
    engine.onCompiled.push((key, owns) => this.#compiled(key, owns));
  }

  /** Whether anything was compiled since the last call. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  /** What is to be served at a host with these addresses. Services that the kernel refused are not. */
  wanted(hostAddresses: readonly Address[]): Wanted {
    const refused = new Set(this.#engine.refusals().map(({ service }) => service));
    const used = [...this.#demands].filter(([key]) => !refused.has(key)).map(([, demands]) => demands);
    const frontends = used.flatMap(({ taken }) =>
      taken.flatMap(({ name, servicePort, protocol, endpoints, frontends }) =>
        frontends.flatMap((frontend) =>
          this.#addressesOf(frontend, { hostAddresses, refused }).map((address): WantedFrontend => {
            const key = { address, port: frontend.port, protocol };
            return { name, servicePort, kind: frontend.kind, key, endpoints };
          }),
        ),
      ),
    );
    const left = used.flatMap(({ left }) =>
      left.map((one) => ({ ...one, addresses: this.#addressesOf(one.frontend, { hostAddresses, refused }) })),
    );
    return { frontends, left };
  }

  #compiled(key: string, owns: (frontend: Frontend) => boolean): void {
    this.#changed = true;
    for (const name of this.#dialledBy.get(key) ?? []) if (this.#dialled.get(name) === key) this.#dialled.delete(name);
    this.#dialledBy.delete(key);
    this.#demands.delete(key);
    const service = this.#engine.store.services.get(key);
    if (service === undefined) return;
    const ports = this.#engine.model(key);
    const addressed = ports.flatMap((port) => port.frontends.filter((front) => front.address !== undefined));
    const names = addressed.filter(owns).map((frontend) => nameOf(frontend.address ?? '', frontend));
    for (const name of names) this.#dialled.set(name, key);
    this.#dialledBy.set(key, names);
    const demands = demandsOf(service, ports, { owns, strict: this.#engine.node.strictSourceRanges });
    if (demands.taken.length + demands.left.length > 0) this.#demands.set(key, demands);
  }

  /** Where a frontend is dialled; a node port at every address that takes them and has no frontend of its own there. */
  #addressesOf(
    frontend: Frontend,
    { hostAddresses, refused }: { readonly hostAddresses: readonly Address[]; readonly refused: ReadonlySet<string> },
  ): readonly Address[] {
    const { address, family } = frontend;
    if (address !== undefined) return [address];
    return nodePortAddresses(this.#engine.node, family, hostAddresses).filter((address) => {
      const owner = this.#dialled.get(nameOf(address, frontend));
      return owner === undefined || refused.has(owner);
    });
  }
}

/** Link-local addresses say nothing without their link. */
function nodePortAddresses(node: NodeView, family: Frontend['family'], own: readonly Address[]): readonly Address[] {
  const taken = node.nodePortIps[family];
  const all = taken === 'any' ? own.filter((address) => familyOf(address) === family) : taken;
  return [...new Set(all)].filter((address) => !isLoopback(address) && !/^fe[89ab]/.test(address));
}

function nameOf(address: Address, { port, servicePort }: Frontend): string {
  return `${address} ${port} ${servicePort.protocol}`;
}
