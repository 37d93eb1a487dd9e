// Health check node ports: they tell load balancers which nodes have endpoints of Services with externalTrafficPolicy Local.

import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { ServiceChange } from '../engine/service-change.ts';
import type { Log } from '../host/log.ts';
import type { Evictions } from '../host/network/evictions.ts';
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
  /** Whether the daemon keeps the kernel up to date; otherwise the checks fail. */
  readonly proxyHealthy: () => boolean;
  /** Called once for each port that cannot be opened, while that lasts. */
  readonly onFailure?: ((failure: ListenFailure) => void) | undefined;
  readonly evictions: Evictions;
  readonly log: Log;
}

interface HealthCheck {
  readonly port: number;
  /** Ready endpoints on this node. */
  readonly localEndpoints: ReadonlyMap<Family, number>;
}

/**
 * Reports what the kernel has, so that load balancers send no packets before they can be forwarded. A port that cannot be
 * opened is retried after each sync, hence at least every ten seconds.
 */
export class ServiceHealthServer implements SyncObserver {
  readonly #options: ServiceHealthServerOptions;
  readonly #listeners: PortListeners;
  readonly #checks = new Map<string, HealthCheck>();
  #addresses: Readonly<Record<Family, readonly Address[]>> = { ip: [], ip6: [] };

  constructor(options: ServiceHealthServerOptions) {
    this.#options = options;
    const respond = (service: string, host: Address) => this.#respond(service, host);
    this.#listeners = new PortListeners({ ...options, respond });
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

  /** Returns whether the Service has a health check node port, or had one. */
  #update(change: ServiceChange): boolean {
    const port = change.state === 'absent' ? 0 : change.service.healthCheckNodePort;
    if (change.state === 'absent' || port === 0) return this.#checks.delete(change.key);
    this.#checks.set(change.key, { port, localEndpoints: countLocalEndpoints(change) });
    return true;
  }

  /** Returns whether the addresses changed. */
  #refreshAddresses(): boolean {
    const now = listenAddresses(this.#options.engine);
    const changed = FAMILIES.some((family) => now[family].join() !== this.#addresses[family].join());
    this.#addresses = now;
    return changed;
  }

  /** A Service exists only in its own families. */
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
