// What all Services together ask of the programs: who is dialled at which address of this node.

import type { Engine } from '../../engine/engine.ts';
import type { ServedService, ServiceChange } from '../../engine/service-change.ts';
import { type Address, isLinkLocal } from '../../net/address.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import { nodePortAddresses } from '../../services/model/node-port-addresses.ts';
import type { FrontendKey } from '../maps/entries.ts';
import { type Eligibility, type Endpoint, eligibilityOf, type Skipped } from './eligibility.ts';

/** One address, port and protocol that can be dialled, and who answers there. */
export interface DesiredFrontend {
  readonly name: string;
  readonly servicePort: string;
  readonly kind: Frontend['kind'];
  readonly key: FrontendKey;
  /** Each as often as its weight says; never empty. */
  readonly endpoints: readonly Endpoint[];
}

/** A frontend that stays with nft, and the addresses at which it is dialled. */
export interface SkippedAddresses extends Skipped {
  readonly addresses: readonly Address[];
}

export interface DesiredFrontends {
  readonly frontends: readonly DesiredFrontend[];
  readonly skipped: readonly SkippedAddresses[];
}

/** Follows the Services that the kernel holds. */
export class EligibilityIndex {
  readonly #engine: Pick<Engine, 'node'>;
  readonly #eligibility = new Map<string, Eligibility>();
  /** Frontends with an address of their own, whatever their policy, by who has them: they go before node ports. */
  readonly #ownerByFrontend = new Map<string, string>();
  readonly #frontendsByOwner = new Map<string, readonly string[]>();

  constructor(engine: Pick<Engine, 'node'>) {
    this.#engine = engine;
  }

  /** Services that were committed. */
  update(changes: readonly ServiceChange[]): void {
    for (const change of changes) {
      this.#remove(change.key);
      if (change.state === 'served') this.#add(change);
    }
  }

  /** What is to be served at a host with these addresses. Services that the kernel refused are not. */
  desired(hostAddresses: readonly Address[]): DesiredFrontends {
    const all = [...this.#eligibility.values()];
    const frontends = all.flatMap(({ eligible }) =>
      eligible.flatMap(({ name, servicePort, protocol, endpoints, frontends }) =>
        frontends.flatMap((frontend) =>
          this.#addressesOf(frontend, hostAddresses).map((address): DesiredFrontend => {
            const key = { address, port: frontend.port, protocol };
            return { name, servicePort, kind: frontend.kind, key, endpoints };
          }),
        ),
      ),
    );
    const skipped = all.flatMap(({ skipped }) =>
      skipped.map((one) => ({ ...one, addresses: this.#addressesOf(one.frontend, hostAddresses) })),
    );
    return { frontends, skipped };
  }

  #remove(key: string): void {
    for (const name of this.#frontendsByOwner.get(key) ?? [])
      if (this.#ownerByFrontend.get(name) === key) this.#ownerByFrontend.delete(name);
    this.#frontendsByOwner.delete(key);
    this.#eligibility.delete(key);
  }

  #add({ key, service, ports, owns }: ServedService): void {
    const addressed = ports.flatMap((port) => port.frontends.filter((front) => front.address !== undefined));
    const names = addressed.filter(owns).map((frontend) => frontendKeyOf(frontend.address ?? '', frontend));
    for (const name of names) this.#ownerByFrontend.set(name, key);
    this.#frontendsByOwner.set(key, names);
    const eligibility = eligibilityOf(service, ports, { owns, strict: this.#engine.node.strictSourceRanges });
    if (eligibility.eligible.length + eligibility.skipped.length > 0) this.#eligibility.set(key, eligibility);
  }

  /** Where a frontend is dialled; a node port at every address that takes them and has no frontend of its own there. */
  #addressesOf(frontend: Frontend, hostAddresses: readonly Address[]): readonly Address[] {
    const { address, family } = frontend;
    if (address !== undefined) return [address];
    // Link-local addresses are ambiguous without their link.
    const usable = nodePortAddresses(this.#engine.node, family, hostAddresses).filter(
      (address) => !isLinkLocal(address),
    );
    return [...new Set(usable)].filter((address) => !this.#ownerByFrontend.has(frontendKeyOf(address, frontend)));
  }
}

function frontendKeyOf(address: Address, { port, servicePort }: Frontend): string {
  return `${address} ${port} ${servicePort.protocol}`;
}
