// The health of the proxy and of its Services: sync observers, and the servers that report.

import type { SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import type { AddressPort } from '../net/address-port.ts';
import type { SourceProblem } from '../sources/status/source-status.ts';
import { NodeEligibility } from './node-eligibility.ts';
import { ProxyHealthServer, type ProxyHealthServerOptions } from './proxy-health-server.ts';
import { ServiceHealthServer, type ServiceHealthServerOptions } from './service-health-server.ts';
import { SyncHealth, type SyncHealthOptions } from './sync-health.ts';
import type { SyncStatus } from './sync-status.ts';

export interface HealthOptions
  extends Omit<ServiceHealthServerOptions, 'engine' | 'proxyHealthy' | 'onFailure'>,
    SyncHealthOptions,
    Pick<ProxyHealthServerOptions, 'hardFail' | 'retryMs' | 'onResponse'> {
  readonly engine: Pick<Engine, 'store' | 'node' | 'options' | 'hostAddresses'>;
  /** The address of /healthz and /livez; `undefined` for no server. */
  readonly address: AddressPort | undefined;
  readonly clock: Clock;
  /** What keeps the objects from being current, the worst first. */
  readonly sourceProblems?: () => readonly SourceProblem[];
  /** Called once for each health check node port that cannot be opened, while that lasts. */
  readonly onPortFailure?: ServiceHealthServerOptions['onFailure'];
}

/** `open` may be called before the first sync. */
export class Health implements Disposable {
  readonly observers: readonly SyncObserver[];
  readonly #syncHealth: SyncHealth;
  readonly #serviceServer: ServiceHealthServer;
  readonly #proxyServer: ProxyHealthServer | undefined;

  constructor(options: HealthOptions) {
    const { engine, address, clock, log, evictions, onPortFailure, sourceProblems = () => [] } = options;
    const syncHealth = new SyncHealth(options);
    this.#syncHealth = syncHealth;
    const node = new NodeEligibility(engine);
    const state = () => ({
      now: clock.wallTime(clock.now()),
      healthy: syncHealth.isHealthy,
      upToDate: syncHealth.isUpToDate,
      lastSynced: syncHealth.lastSynced === undefined ? undefined : clock.wallTime(syncHealth.lastSynced),
      nodeEligible: node.isEligible,
      families: engine.node.families,
      sourceProblem: sourceProblems()[0],
    });
    this.#proxyServer = address === undefined ? undefined : new ProxyHealthServer({ ...options, address, state });
    // Without a health server, only endpoints decide.
    const proxyHealthy = () => address === undefined || syncHealth.isUpToDate;
    this.#serviceServer = new ServiceHealthServer({ engine, proxyHealthy, onFailure: onPortFailure, evictions, log });
    this.observers = [syncHealth, node, this.#serviceServer];
  }

  /** How far the kernel follows the objects. */
  get syncStatus(): SyncStatus {
    return this.#syncHealth.status;
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
