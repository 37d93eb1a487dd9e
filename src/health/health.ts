// Everything that tells others how this node is: what listens to the daemon, and the servers that answer.

import type { SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import type { AddressPort } from '../net/address-port.ts';
import { NodeEligibility } from './node-eligibility.ts';
import { ProxyHealthServer, type ProxyHealthServerOptions } from './proxy-health-server.ts';
import { ServiceHealthServer, type ServiceHealthServerOptions } from './service-health-server.ts';
import { SyncHealth, type SyncHealthOptions } from './sync-health.ts';

export interface HealthOptions
  extends Omit<ServiceHealthServerOptions, 'engine' | 'proxyHealthy' | 'onFailure'>,
    SyncHealthOptions,
    Pick<ProxyHealthServerOptions, 'hardFail' | 'retryMs' | 'onResponse'> {
  readonly engine: Pick<Engine, 'store' | 'node' | 'options' | 'hostAddresses'>;
  /** Where /healthz and /livez are answered; `undefined` for nowhere. */
  readonly address: AddressPort | undefined;
  readonly clock: Clock;
  /** Told of each health check node port that cannot be opened, once as long as that lasts. */
  readonly onPortFailure?: ServiceHealthServerOptions['onFailure'];
}

/** The daemon tells the observers; `open` may be called before it has anything to tell. */
export class Health implements Disposable {
  readonly observers: readonly SyncObserver[];
  readonly #serviceServer: ServiceHealthServer;
  readonly #proxyServer: ProxyHealthServer | undefined;

  constructor(options: HealthOptions) {
    const { engine, address, clock, log, onPortFailure } = options;
    const syncHealth = new SyncHealth(options);
    const node = new NodeEligibility(engine);
    const state = () => ({
      now: clock.now(),
      healthy: syncHealth.healthy,
      lastSynced: syncHealth.lastSynced,
      nodeEligible: node.eligible,
      families: engine.node.families,
    });
    this.#proxyServer = address === undefined ? undefined : new ProxyHealthServer({ ...options, address, state });
    // Where nobody wants to know how the daemon is, only endpoints count.
    const proxyHealthy = () => address === undefined || syncHealth.healthy;
    this.#serviceServer = new ServiceHealthServer({ engine, proxyHealthy, onFailure: onPortFailure, log });
    this.observers = [syncHealth, node, this.#serviceServer];
  }

  /** Resolves after the first attempt to listen. Rejects with a `ListenError` only with `hardFail`. */
  async open(): Promise<void> {
    await this.#proxyServer?.open();
  }

  [Symbol.dispose](): void {
    this.#proxyServer?.close();
    this.#serviceServer.close();
  }
}
