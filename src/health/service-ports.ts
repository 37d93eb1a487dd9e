// Health check node ports: they tell load balancers which nodes have endpoints of a Service with externalTrafficPolicy Local.

import type { SyncObserver } from '../controller/observer.ts';
import type { SyncReport } from '../controller/sync.ts';
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../host/log.ts';
import { type Address, familyOf } from '../net/address.ts';
import type { BindAddress } from '../net/bind-address.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import type { Answer } from './http-listener.ts';
import { listenAddresses } from './listen-addresses.ts';
import { localEndpoints } from './local-endpoints.ts';
import { type PortFailure, PortListeners } from './port-listeners.ts';
import { serviceAnswer } from './service-answer.ts';

export interface ServicePortsOptions {
  readonly engine: Pick<Engine, 'onCompiled' | 'store' | 'node' | 'options' | 'hostAddresses'>;
  /** Whether the daemon keeps the kernel up to date: otherwise no node of ours is a good one. */
  readonly proxyHealthy: () => boolean;
  /** Told of each port that cannot be opened, once as long as that lasts. */
  readonly onFailure?: ((failure: PortFailure) => void) | undefined;
  readonly log: Log;
}

/** What is to be answered for a Service, at which port. */
interface Check {
  readonly port: number;
  /** Ready endpoints on this node. */
  readonly counts: ReadonlyMap<Family, number>;
}

/**
 * Follows the engine. What was compiled is answered when the kernel has it, so that nobody is sent here before packets
 * find their way; each sync costs what it changed. A port that cannot be opened is tried again after each sync, which
 * comes at least every ten seconds.
 */
export class ServicePorts implements SyncObserver {
  readonly #options: ServicePortsOptions;
  readonly #listeners: PortListeners;
  readonly #checks = new Map<string, Check>();
  /** What was compiled since the last sync; `undefined` for a Service that has no such port any more. */
  readonly #pending = new Map<string, Check | undefined>();
  #addresses: Readonly<Record<Family, readonly Address[]>> = { ip: [], ip6: [] };

  constructor(options: ServicePortsOptions) {
    this.#options = options;
    const { log, onFailure } = options;
    this.#listeners = new PortListeners({ answer: (service, host) => this.#answer(service, host), onFailure, log });
    options.engine.onCompiled.push((service) => this.#compiled(service));
  }

  synced({ refused }: Pick<SyncReport, 'refused'>): void {
    const concerned = new Set([...this.#pending.keys(), ...this.#listeners.failed]);
    for (const [service, check] of this.#pending) {
      if (check === undefined) this.#checks.delete(service);
      else this.#checks.set(service, check);
    }
    this.#pending.clear();
    for (const { service } of refused) this.#withdraw(service);
    if (this.#takeAddresses()) for (const service of this.#checks.keys()) concerned.add(service);
    this.#listeners.put(new Map([...concerned].map((service) => [service, this.#placesOf(service)])));
  }

  close(): void {
    this.#listeners.close();
  }

  #compiled(key: string): void {
    const { store, options } = this.#options.engine;
    const service = store.services.get(key);
    const port = service?.healthCheckNodePort ?? 0;
    if (service !== undefined && port !== 0) {
      this.#pending.set(key, { port, counts: localEndpoints(service, store.slicesOf(key), options.nodeName) });
    } else if (this.#checks.has(key) || this.#pending.has(key)) {
      this.#pending.set(key, undefined);
    }
  }

  /** The kernel has refused this Service: traffic for it has nowhere to go here. */
  #withdraw(service: string): void {
    const check = this.#checks.get(service);
    if (check === undefined) return;
    this.#checks.set(service, { ...check, counts: new Map([...check.counts.keys()].map((family) => [family, 0])) });
  }

  /** Returns whether they are others than before. */
  #takeAddresses(): boolean {
    const now = listenAddresses(this.#options.engine);
    const moved = FAMILIES.some((family) => now[family].join() !== this.#addresses[family].join());
    this.#addresses = now;
    return moved;
  }

  /** In a family that the Service has no cluster IP in, it does not exist. */
  #placesOf(service: string): BindAddress[] {
    const check = this.#checks.get(service);
    if (check === undefined) return [];
    return [...check.counts.keys()].flatMap((family) =>
      this.#addresses[family].map((host) => ({ host, port: check.port })),
    );
  }

  #answer(service: string, host: Address): Answer {
    const count = this.#checks.get(service)?.counts.get(familyOf(host)) ?? 0;
    return serviceAnswer({ service, localEndpoints: count, serviceProxyHealthy: this.#options.proxyHealthy() });
  }
}
