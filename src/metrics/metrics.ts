// All metrics of the daemon.

import { Counter, Registry } from 'prom-client';
import type { RulesetClient } from '../controller/sync.ts';
import type { SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { RequestObserver } from '../sources/api-server/client/api-client.ts';
import type { ReflectorState } from '../sources/api-server/reflector-state.ts';
import { ConntrackMetrics } from './conntrack-metrics.ts';
import { type KubeProxyMetrics, kubeProxyMetrics } from './kube-proxy/kube-proxy-metrics.ts';
import { NoLocalEndpoints } from './kube-proxy/no-local-endpoints.ts';
import { PendingChanges } from './kube-proxy/pending-changes.ts';
import { registerConnectionMetrics } from './nftlane/connection-metrics.ts';
import { ConnectionReader } from './nftlane/connection-reader.ts';
import { CountingSink } from './nftlane/counting-sink.ts';
import { registerFastPathMetrics } from './nftlane/fast-path-metrics.ts';
import { type HoldCounts, registerHoldMetrics } from './nftlane/hold-metrics.ts';
import { type ProcessInfo, registerProcessMetrics } from './nftlane/process-metrics.ts';
import { syncMetrics } from './nftlane/sync-metrics.ts';
import { registerTableMetrics } from './nftlane/table-metrics.ts';
import { registerRequestMetrics, registerWatchMetrics } from './nftlane/watch-metrics.ts';
import { type RulesetWatch, registerRulesetWatchMetrics } from './ruleset-watch-metrics.ts';
import { SyncRecorder } from './sync-recorder.ts';

interface MetricsOptions {
  readonly engine: Engine;
  readonly nftClient: Pick<RulesetClient, 'listElements'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly process: ProcessInfo;
  /** The number of Service ports and of endpoints with their own series; 0 for none. */
  readonly connectionLimit: number;
}

/** Registers all metrics, and reads gauges at each scrape. */
export class Metrics {
  readonly registry = new Registry();
  /** Must observe the syncs. */
  readonly observer: SyncObserver;
  /** Must observe every request to the API server. */
  readonly requestObserver: RequestObserver;
  readonly conntrack: ConntrackMetrics;
  readonly #options: MetricsOptions;
  readonly #kubeProxy: KubeProxyMetrics;
  readonly #changes: PendingChanges;
  readonly #recorder: SyncRecorder;
  readonly #reader: ConnectionReader;
  readonly #events: Counter<'outcome'>;
  #reflectorStates: () => readonly ReflectorState[] = () => [];
  #holdCounts: () => HoldCounts | undefined = () => undefined;
  #fastPathStatus: () => FastPathStatus | undefined = () => undefined;
  #rulesetWatch: RulesetWatch | undefined;

  constructor(options: MetricsOptions) {
    const { engine, clock } = options;
    this.#options = options;
    this.#kubeProxy = kubeProxyMetrics(this.registry);
    this.#changes = new PendingChanges(clock.now(), clock);
    const [nftlane, noLocalEndpoints] = [syncMetrics(this.registry), new NoLocalEndpoints()];
    this.#recorder = new SyncRecorder({
      clock,
      kubeProxy: this.#kubeProxy,
      nftlane,
      changes: this.#changes,
      noLocalEndpoints,
    });
    this.observer = this.#recorder;
    registerTableMetrics(this.registry, engine);
    registerWatchMetrics(this.registry, { states: () => this.#reflectorStates(), clock });
    this.requestObserver = registerRequestMetrics(this.registry);
    this.#reader = new ConnectionReader(options);
    registerConnectionMetrics(this.registry, this.#reader, options.connectionLimit);
    this.#events = new Counter({
      name: 'nftlane_events_total',
      help: 'Total number of Kubernetes Events by outcome: sent, repeated (in a series), dropped (too many), failed',
      labelNames: ['outcome'] as const,
      registers: [this.registry],
    });
    this.conntrack = new ConntrackMetrics(this.registry, this.#kubeProxy);
    registerHoldMetrics(this.registry, () => this.#holdCounts());
    registerFastPathMetrics(this.registry, () => this.#fastPathStatus());
    registerRulesetWatchMetrics(this.registry, () => this.#rulesetWatch);
    registerProcessMetrics(this.registry, options.process);
  }

  /** A sink that counts the events of a source and passes them on. */
  countingSink(sink: Sink): Sink {
    const { engine, clock } = this.#options;
    return new CountingSink({ sink, store: engine.store, changes: this.#changes, metrics: this.#kubeProxy, clock });
  }

  /** Sets the source of the watch states. */
  setReflectorStates(states: () => readonly ReflectorState[]): void {
    this.#reflectorStates = states;
  }

  /** Sets the source of the numbers of held losses. */
  setHoldCounts(counts: () => HoldCounts): void {
    this.#holdCounts = counts;
  }

  /** Sets the source of the fast path's status. */
  setFastPathStatus(status: () => FastPathStatus): void {
    this.#fastPathStatus = status;
  }

  /** Sets the sources of the state of the nft monitor and of repairs. */
  setRulesetWatch(watch: RulesetWatch): void {
    this.#rulesetWatch = watch;
  }

  countHealthResponse(check: 'healthz' | 'livez', status: number): void {
    this.#kubeProxy[check].inc({ code: String(status) });
  }

  countEvent(outcome: 'sent' | 'repeated' | 'dropped' | 'failed'): void {
    this.#events.inc({ outcome });
  }

  /** All metrics in the Prometheus text format. */
  async print(): Promise<string> {
    if (this.#options.connectionLimit > 0) await this.#reader.refresh();
    this.#recorder.refresh();
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }
}
