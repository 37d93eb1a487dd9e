// Indexes the eligible frontends of all Services, and lists them with the addresses of this node.

import type { Engine } from '../../engine/engine.ts';
import type { ServedService, ServiceChange } from '../../engine/service-change.ts';
import { type Address, isLinkLocal } from '../../net/address.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import { nodePortAddresses } from '../../services/model/node-port-addresses.ts';
import type { FrontendKey } from '../maps/entries.ts';
import { frontendId } from '../maps/frontend-table.ts';
import { type Eligibility, type Endpoint, eligibilityOf, type Skipped } from './eligibility.ts';

/** An address, port and protocol, and its local endpoints. */
export interface DesiredFrontend {
  readonly name: string;
  readonly servicePort: string;
  readonly kind: Frontend['kind'];
  readonly key: FrontendKey;
  /** Repeated by weight; never empty. */
  readonly endpoints: readonly Endpoint[];
}

/** A frontend that nftables serves, with all its addresses. */
export interface SkippedAddresses extends Skipped {
  readonly addresses: readonly Address[];
}

export interface DesiredFrontends {
  readonly frontends: readonly DesiredFrontend[];
  readonly skipped: readonly SkippedAddresses[];
}

/** Covers the Services that are committed to the kernel. */
export class EligibilityIndex {
  readonly #engine: Pick<Engine, 'node'>;
  readonly #eligibility = new Map<string, Eligibility>();
  /** Owners of frontends with an address, of any policy. Such a frontend takes precedence over a node port there. */
  readonly #ownerByFrontend = new Map<string, string>();
  readonly #frontendsByOwner = new Map<string, readonly string[]>();

  constructor(engine: Pick<Engine, 'node'>) {
    this.#engine = engine;
  }

  /** Takes over committed changes. */
  update(changes: readonly ServiceChange[]): void {
    for (const change of changes) {
      this.#remove(change.key);
      if (change.state === 'served') this.#add(change);
    }
  }

  /** Frontends at a host with these addresses. */
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
      skipped.map((entry) => ({ ...entry, addresses: this.#addressesOf(entry.frontend, hostAddresses) })),
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
    const addressed = ports.flatMap((port) => port.frontends.filter(({ address }) => address !== undefined));
    const names = addressed.filter(owns).map((frontend) => frontendIdAt(frontend.address ?? '', frontend));
    for (const name of names) this.#ownerByFrontend.set(name, key);
    this.#frontendsByOwner.set(key, names);
    const eligibility = eligibilityOf(service, ports, { owns, strict: this.#engine.node.strictSourceRanges });
    if (eligibility.eligible.length + eligibility.skipped.length > 0) this.#eligibility.set(key, eligibility);
  }

  /** The addresses of a frontend. A node port has all node port addresses where no other frontend has its port. */
  #addressesOf(frontend: Frontend, hostAddresses: readonly Address[]): readonly Address[] {
    const { address, family } = frontend;
    if (address !== undefined) return [address];
    // Link-local addresses are ambiguous without their link.
    const usable = nodePortAddresses(this.#engine.node, family, hostAddresses).filter(
      (address) => !isLinkLocal(address),
    );
    return [...new Set(usable)].filter((address) => !this.#ownerByFrontend.has(frontendIdAt(address, frontend)));
  }
}

function frontendIdAt(address: Address, { port, servicePort: { protocol } }: Frontend): string {
  return frontendId({ address, port, protocol });
}
