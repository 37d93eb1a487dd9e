// Connects metrics and Events to the other parts of the daemon.

import type { Settings } from '../config/settings.ts';
import type { CleanupResult } from '../conntrack/cleanup-runner.ts';
import type { SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import { EventObserver } from '../events/event-observer.ts';
import { EventRecorder } from '../events/event-recorder.ts';
import { ApiEventWriter } from '../events/event-writer.ts';
import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import type { ListenFailure } from '../health/port-listeners.ts';
import type { HealthPath } from '../health/proxy-health-response.ts';
import type { SyncStatus } from '../health/sync-status.ts';
import { systemClock } from '../host/clock.ts';
import type { AdjustableLog, Log } from '../host/log.ts';
import type { Evictions } from '../host/network/evictions.ts';
import { untilAborted } from '../lib/until-aborted.ts';
import { VERSION } from '../lib/version.ts';
import type { CleanupProtocol } from '../metrics/conntrack-metrics.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { RulesetWatch } from '../metrics/ruleset-watch-metrics.ts';
import type { Freshness } from '../metrics/server/statusz.ts';
import type { NftClient } from '../nftables/client/nft-client.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { ApiClient, RequestObserver } from '../sources/api-server/client/api-client.ts';
import type { ReflectorState } from '../sources/api-server/reflector-state.ts';
import type { HoldEvent, SourceGuard } from '../sources/guard/source-guard.ts';
import type { SourceStatus } from '../sources/status/source-status.ts';
import { type StalenessObserver, StalenessReporter } from '../sources/status/staleness-reporter.ts';

interface TelemetryOptions {
  /** The settings in force. Without `metricsBindAddress` there are no metrics. */
  readonly settings: () => Pick<Settings, 'kubeProxy' | 'documents' | 'nftlane'>;
  readonly engine: Engine;
  readonly nftClient: NftClient;
  readonly evictions: Evictions;
  readonly log: Log & Pick<AdjustableLog, 'dropped'>;
}

type Task = (signal: AbortSignal) => Promise<void>;

/** Does nothing without metrics and without an API server. The observer can be subscribed before the API server is connected. */
export class Telemetry {
  readonly observer: SyncObserver;
  readonly #metrics: Metrics | undefined;
  readonly #options: TelemetryOptions;
  readonly #tasks: Task[] = [];
  #events: EventObserver | undefined;
  #rulesetWatch: RulesetWatch | undefined;
  #nftVersion = '';
  #sourceStatus: (() => SourceStatus) | undefined;
  #syncStatus: (() => SyncStatus) | undefined;

  private constructor(options: TelemetryOptions, metrics: Metrics | undefined) {
    this.#options = options;
    this.#metrics = metrics;
    this.observer = this.#combinedObserver();
  }

  static async open(options: TelemetryOptions): Promise<Telemetry> {
    const { settings, engine, nftClient, evictions, log } = options;
    const { kubeProxy, nftlane } = settings();
    const { metricsBindAddress: address, bindAddressHardFail: hardFail } = kubeProxy;
    if (address === undefined) return new Telemetry(options, undefined);
    // Loaded only if needed, because the metrics library is large.
    const { Metrics } = await import('../metrics/metrics.ts');
    const { DebugServer } = await import('../metrics/server/debug-server.ts');
    const { debugPages } = await import('../metrics/server/debug-pages.ts');
    const nft = { nftSession: () => nftClient.session, nftVersion: () => telemetry.#nftVersion };
    const connectionLimit = nftlane.metrics.connections;
    const process = { version: VERSION, ...nft, evictions, log };
    const metrics = new Metrics({ engine, nftClient, clock: systemClock, log, process, connectionLimit });
    const telemetry = new Telemetry(options, metrics);
    const program = { name: 'nftlane', version: VERSION, startedAt: performance.timeOrigin, clock: systemClock };
    const freshness = () => telemetry.#freshness();
    const configuration = () => settings().documents.kubeProxy;
    const pages = debugPages({ metrics, program: { ...program, freshness }, configuration });
    const server = new DebugServer({ address, pages, hardFail, evictions, log, clock: systemClock });
    telemetry.#tasks.push((signal) => server.run(signal));
    return telemetry;
  }

  get requestObserver(): RequestObserver | undefined {
    return this.#metrics?.requestObserver;
  }

  /** A sink that counts the events delivered to `sink`; `sink` itself without metrics. */
  countingSink(sink: Sink): Sink {
    return this.#metrics?.countingSink(sink) ?? sink;
  }

  countHealthResponse(path: HealthPath, status: number): void {
    this.#metrics?.countHealthResponse(path === '/livez' ? 'livez' : 'healthz', status);
  }

  /** Records an Event for a health check node port that cannot be opened. */
  reportHealthPortFailure(failure: ListenFailure): void {
    this.#events?.healthPortFailed(failure);
  }

  /** Records an Event for a mass loss of Services. */
  reportHold(event: HoldEvent): void {
    this.#events?.hold(event);
  }

  setHoldCounts(counts: () => SourceGuard['counts']): void {
    this.#metrics?.setHoldCounts(counts);
  }

  countConntrackFailure(protocol: CleanupProtocol): void {
    this.#metrics?.conntrack.countFailure(protocol);
  }

  observeConntrackCleanup(protocol: CleanupProtocol, cleanUp: CleanupResult): void {
    this.#metrics?.conntrack.observe(protocol, cleanUp);
  }

  setFastPathStatus(status: () => FastPathStatus): void {
    this.#metrics?.setFastPathStatus(status);
  }

  setSyncStatus(status: () => SyncStatus): void {
    this.#syncStatus = status;
  }

  /** Reports, from now on, objects that are not current. */
  setSourceStatus(status: () => SourceStatus): void {
    this.#sourceStatus = status;
    const observer: StalenessObserver = {
      sourceStale: (problem) => this.#events?.sourceStale(problem),
      sourceRecovered: (problem) => this.#events?.sourceRecovered(problem),
    };
    const reporter = new StalenessReporter({ status, observer, clock: systemClock, log: this.#options.log });
    this.#tasks.push((signal) => reporter.run(signal));
  }

  #freshness(): Freshness {
    const [source, sync] = [this.#sourceStatus?.(), this.#syncStatus?.()];
    const verification = this.#rulesetWatch?.verification();
    return {
      node: this.#options.engine.options.nodeName,
      ...(source && { source }),
      ...(sync && { sync }),
      ...(verification && { verification }),
    };
  }

  /** Sets the sources of the state of the nft monitor and of repairs. */
  setRulesetWatch(watch: RulesetWatch): void {
    this.#rulesetWatch = watch;
    this.#metrics?.setRulesetWatch(watch);
  }

  /** Sends Events to an API server and measures its watches. */
  connectApiServer(client: ApiClient, states: () => readonly ReflectorState[]): void {
    const { engine, log } = this.#options;
    const { nodeName } = engine.options;
    this.#metrics?.setReflectorStates(states);
    const onOutcome = this.#metrics?.countEvent.bind(this.#metrics) ?? (() => {});
    const recorder = new EventRecorder({
      writer: new ApiEventWriter(client),
      nodeName,
      clock: systemClock,
      log,
      onOutcome,
    });
    this.#events = new EventObserver({
      nodeName,
      record: (event) => recorder.record(event),
      hasService: (key) => engine.store.services.has(key),
    });
    this.#tasks.push((signal) => recorder.run(signal));
  }

  /** Serves metrics and sends Events until the signal aborts. Rejects only if `hardFail` is set and metrics cannot be served. */
  async run(nftVersion: string, signal: AbortSignal): Promise<void> {
    this.#nftVersion = nftVersion;
    this.#events?.started(VERSION);
    await Promise.all([...this.#tasks, untilAborted].map((task) => task(signal)));
  }

  /** Notifies metrics and Events. An error of one keeps no change from the kernel, and nothing from the other. */
  #combinedObserver(): SyncObserver {
    const notifyOne = (observer: SyncObserver, call: (observer: SyncObserver) => void): void => {
      try {
        call(observer);
      } catch (error) {
        this.#options.log.error('cannot update metrics or Events', {
          reason: error instanceof Error ? error.stack : error,
        });
      }
    };
    const notify = (call: (observer: SyncObserver) => void): void => {
      for (const observer of [this.#metrics?.observer, this.#events])
        if (observer !== undefined) notifyOne(observer, call);
    };
    return {
      queued: (at) => notify((observer) => observer.queued?.(at)),
      syncStarted: () => notify((observer) => observer.syncStarted?.()),
      committed: (commit) => notify((observer) => observer.committed?.(commit)),
      failed: (error, attempt) => notify((observer) => observer.failed?.(error, attempt)),
      foreignCommit: (changes) => notify((observer) => observer.foreignCommit?.(changes)),
      foreignChanges: (changes) => notify((observer) => observer.foreignChanges?.(changes)),
      contested: (contest) => notify((observer) => observer.contested?.(contest)),
      chainsModified: (chains) => notify((observer) => observer.chainsModified?.(chains)),
    };
  }
}
