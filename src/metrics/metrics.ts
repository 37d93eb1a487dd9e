// All metrics of a daemon: who feeds them, and what a scrape gets.
import { Counter, Registry } from 'prom-client';
import type { SyncObserver } from '../controller/observer.ts';
import type { Tables } from '../controller/sync.ts';
import type { Engine } from '../engine/engine.ts';
import type { FastPathView } from '../fastpath/status/status.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { RequestObserver } from '../sources/api-server/client/api-client.ts';
import type { ReflectorState } from '../sources/api-server/reflector-state.ts';
import { ChangeBook } from './kube-proxy/change-book.ts';
import { type KubeProxyMetrics, kubeProxyMetrics } from './kube-proxy/kube-proxy-metrics.ts';
import { LocalGaps } from './kube-proxy/local-gaps.ts';
import { registerConnectionMetrics } from './nftlane/connection-metrics.ts';
import { ConnectionReader } from './nftlane/connection-reader.ts';
import { CountingSink } from './nftlane/counting-sink.ts';
import { registerFastPathMetrics } from './nftlane/fast-path-metrics.ts';
import { type ProcessFacts, registerProcessMetrics } from './nftlane/process-metrics.ts';
import { syncMetrics } from './nftlane/sync-metrics.ts';
import { registerTableMetrics } from './nftlane/table-metrics.ts';
import { registerRequestMetrics, registerWatchMetrics } from './nftlane/watch-metrics.ts';
import { SyncRecorder } from './sync-recorder.ts';

export interface MetricsParts {
  readonly engine: Engine;
  readonly tables: Pick<Tables, 'count'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly process: ProcessFacts;
  /** How many Service ports, and how many endpoints, have series of their own; 0 for none. */
  readonly connectionLimit: number;
}

export class Metrics {
  readonly registry = new Registry();
  /** To be told what the daemon does. */
  readonly observer: SyncObserver;
  /** To be told of every request to the API server. */
  readonly requestObserver: RequestObserver;
  readonly #parts: MetricsParts;
  readonly #proxy: KubeProxyMetrics;
  readonly #changes: ChangeBook;
  readonly #recorder: SyncRecorder;
  readonly #reader: ConnectionReader;
  readonly #events: Counter<'outcome'>;
  #states: () => readonly ReflectorState[] = () => [];
  #fastPath: () => FastPathView | undefined = () => undefined;

  constructor(parts: MetricsParts) {
    const { engine, clock } = parts;
    this.#parts = parts;
    this.#proxy = kubeProxyMetrics(this.registry);
    this.#changes = new ChangeBook(clock.now());
    const [own, gaps] = [syncMetrics(this.registry), new LocalGaps(engine)];
    this.#recorder = new SyncRecorder({ proxy: this.#proxy, own, changes: this.#changes, gaps });
    this.observer = this.#recorder;
    registerTableMetrics(this.registry, engine);
    registerWatchMetrics(this.registry, () => this.#states());
    this.requestObserver = registerRequestMetrics(this.registry);
    this.#reader = new ConnectionReader(parts);
    registerConnectionMetrics(this.registry, this.#reader, parts.connectionLimit);
    this.#events = new Counter({
      name: 'nftlane_events_total',
      help: 'Kubernetes Events: sent, repeated in a series, dropped for there were too many, or failed',
      labelNames: ['outcome'] as const,
      registers: [this.registry],
    });
    registerFastPathMetrics(this.registry, () => this.#fastPath());
    registerProcessMetrics(this.registry, parts.process);
  }

  /** Counts what a source tells this sink. */
  count(sink: Sink): Sink {
    const { engine, clock } = this.#parts;
    return new CountingSink({ sink, store: engine.store, changes: this.#changes, metrics: this.#proxy, clock });
  }

  /** Where to ask how the watches are. */
  watch(states: () => readonly ReflectorState[]): void {
    this.#states = states;
  }

  /** Where to ask how the fast path is. */
  showFastPath(view: () => FastPathView): void {
    this.#fastPath = view;
  }

  /** A clean-up of conntrack entries, which takes both families in one go. `ms` in milliseconds. */
  cleaned({ ms, deleted }: { readonly ms: number; readonly deleted: Readonly<Record<Family, number>> }): void {
    for (const family of FAMILIES) {
      const labels = { ip_family: FAMILY_TRAITS[family].label };
      this.#proxy.conntrackSeconds.observe(labels, ms / 1000);
      this.#proxy.conntrackDeleted.inc(labels, deleted[family]);
    }
  }

  /** A health check was answered with this status. */
  healthAnswered(check: 'healthz' | 'livez', status: number): void {
    this.#proxy[check].inc({ code: String(status) });
  }

  /** A Kubernetes Event was written, or not. */
  eventEnded(outcome: 'sent' | 'repeated' | 'dropped' | 'failed'): void {
    this.#events.inc({ outcome });
  }

  /** Everything in Prometheus' text format. */
  async print(): Promise<string> {
    if (this.#parts.connectionLimit > 0) await this.#reader.refresh();
    this.#recorder.refresh();
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }
}
