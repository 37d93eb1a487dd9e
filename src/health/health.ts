// Everything that tells others how this node is: what listens to the daemon, and the servers that answer.

import type { SyncObserver } from '../controller/observer.ts';
import type { Clock } from '../host/clock.ts';
import type { BindAddress } from '../net/bind-address.ts';
import { OwnNode } from './own-node.ts';
import { ProxyServer, type ProxyServerOptions } from './proxy-server.ts';
import { ServicePorts, type ServicePortsOptions } from './service-ports.ts';
import { SyncHealth, type SyncHealthOptions } from './sync-health.ts';

export interface HealthOptions
  extends Omit<ServicePortsOptions, 'proxyHealthy' | 'onFailure'>,
    SyncHealthOptions,
    Pick<ProxyServerOptions, 'hardFail' | 'retryMs' | 'onAnswer'> {
  /** Where /healthz and /livez are answered; `undefined` for nowhere. */
  readonly address: BindAddress | undefined;
  readonly clock: Pick<Clock, 'now'>;
  /** Told of each health check node port that cannot be opened, once as long as that lasts. */
  readonly onPortFailure?: ServicePortsOptions['onFailure'];
}

/** The daemon tells the observers; `open` may be called before it has anything to tell. */
export class Health implements Disposable {
  readonly observers: readonly SyncObserver[];
  readonly #ports: ServicePorts;
  readonly #server: ProxyServer | undefined;

  constructor(options: HealthOptions) {
    const { engine, address, clock, log, onPortFailure } = options;
    const syncs = new SyncHealth(options);
    const node = new OwnNode(engine);
    const state = () => ({
      now: clock.now(),
      healthy: syncs.healthy,
      lastSynced: syncs.lastSynced,
      nodeEligible: node.eligible,
      families: engine.node.families,
    });
    this.#server = address === undefined ? undefined : new ProxyServer({ ...options, address, state });
    // Where nobody wants to know how the daemon is, only endpoints count.
    const proxyHealthy = () => address === undefined || syncs.healthy;
    this.#ports = new ServicePorts({ engine, proxyHealthy, onFailure: onPortFailure, log });
    this.observers = [syncs, node, this.#ports];
  }

  /** Resolves after the first attempt to listen. Rejects with a `ListenError` only with `hardFail`. */
  async open(): Promise<void> {
    await this.#server?.open();
  }

  [Symbol.dispose](): void {
    this.#server?.close();
    this.#ports.close();
  }
}
