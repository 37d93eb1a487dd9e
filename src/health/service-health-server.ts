// Health check node ports: they tell load balancers which nodes have endpoints of a Service with externalTrafficPolicy Local.

import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { ServiceChange } from '../engine/service-change.ts';
import type { Log } from '../host/log.ts';
import type { HttpResponse } from '../host/network/http-server.ts';
import { type Address, familyOf } from '../net/address.ts';
import type { AddressPort } from '../net/address-port.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { listenAddresses } from './listen-addresses.ts';
import { countLocalEndpoints } from './local-endpoints.ts';
import { type ListenFailure, PortListeners } from './port-listeners.ts';
import { serviceHealthResponse } from './service-health-response.ts';

export interface ServiceHealthServerOptions {
  readonly engine: Pick<Engine, 'node' | 'options' | 'hostAddresses'>;
  /** Whether the daemon keeps the kernel up to date: otherwise no node of ours is a good one. */
  readonly proxyHealthy: () => boolean;
  /** Told of each port that cannot be opened, once as long as that lasts. */
  readonly onFailure?: ((failure: ListenFailure) => void) | undefined;
  readonly log: Log;
}

/** What is to be answered for a Service, at which port. */
interface HealthCheck {
  readonly port: number;
  /** Ready endpoints on this node. */
  readonly localEndpoints: ReadonlyMap<Family, number>;
}

/**
 * Follows the engine. What was compiled is answered when the kernel has it, so that nobody is sent here before packets
 * find their way; each sync costs what it changed. A port that cannot be opened is tried again after each sync, which
 * comes at least every ten seconds.
 */
export class ServiceHealthServer implements SyncObserver {
  readonly #options: ServiceHealthServerOptions;
  readonly #listeners: PortListeners;
  readonly #checks = new Map<string, HealthCheck>();
  #addresses: Readonly<Record<Family, readonly Address[]>> = { ip: [], ip6: [] };

  constructor(options: ServiceHealthServerOptions) {
    this.#options = options;
    const { log, onFailure } = options;
    this.#listeners = new PortListeners({ respond: (service, host) => this.#respond(service, host), onFailure, log });
  }

  committed({ services }: Pick<Commit, 'services'>): void {
    const affected = new Set(this.#listeners.failed);
    for (const change of services) if (this.#update(change)) affected.add(change.key);
    if (this.#refreshAddresses()) for (const service of this.#checks.keys()) affected.add(service);
    this.#listeners.sync(new Map([...affected].map((service) => [service, this.#bindAddressesOf(service)])));
  }

  close(): void {
    this.#listeners.close();
  }

  /** Returns whether the Service has such a port, or had one. */
  #update(change: ServiceChange): boolean {
    const port = change.state === 'absent' ? 0 : change.service.healthCheckNodePort;
    if (change.state === 'absent' || port === 0) return this.#checks.delete(change.key);
    this.#checks.set(change.key, { port, localEndpoints: countLocalEndpoints(change) });
    return true;
  }

  /** Returns whether they are others than before. */
  #refreshAddresses(): boolean {
    const now = listenAddresses(this.#options.engine);
    const changed = FAMILIES.some((family) => now[family].join() !== this.#addresses[family].join());
    this.#addresses = now;
    return changed;
  }

  /** In a family that the Service has no cluster IP in, it does not exist. */
  #bindAddressesOf(service: string): AddressPort[] {
    const check = this.#checks.get(service);
    if (check === undefined) return [];
    return [...check.localEndpoints.keys()].flatMap((family) =>
      this.#addresses[family].map((address) => ({ address, port: check.port })),
    );
  }

  #respond(service: string, address: Address): HttpResponse {
    const count = this.#checks.get(service)?.localEndpoints.get(familyOf(address)) ?? 0;
    return serviceHealthResponse({ service, localEndpoints: count, serviceProxyHealthy: this.#options.proxyHealthy() });
  }
}
