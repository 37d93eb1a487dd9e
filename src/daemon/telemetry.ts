// Metrics and Events of the daemon: made and joined to its parts, or left out.

import type { Settings } from '../config/settings.ts';
import type { CleanupResult } from '../conntrack/flow-cleaner.ts';
import type { SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import { EventObserver } from '../events/event-observer.ts';
import { EventRecorder } from '../events/event-recorder.ts';
import { ApiEventWriter } from '../events/event-writer.ts';
import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import type { ListenFailure } from '../health/port-listeners.ts';
import type { HealthPath } from '../health/proxy-health-response.ts';
import { systemClock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { untilAborted } from '../lib/until-aborted.ts';
import { VERSION } from '../lib/version.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { NftClient } from '../nftables/client/nft-client.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { ApiClient, RequestObserver } from '../sources/api-server/client/api-client.ts';
import type { ReflectorState } from '../sources/api-server/reflector-state.ts';

export interface TelemetryOptions {
  /** The settings in force. Without `metricsBindAddress` nothing is served, and then nothing is measured either. */
  readonly settings: () => Pick<Settings, 'kubeProxy' | 'documents' | 'nftlane'>;
  readonly engine: Engine;
  readonly nftClient: NftClient;
  readonly log: Log;
}

type Task = (signal: AbortSignal) => Promise<void>;

/** Without metrics and without an API server it does nothing. Its observers may be handed out before they are known. */
export class Telemetry {
  readonly observer: SyncObserver;
  readonly #metrics: Metrics | undefined;
  readonly #options: TelemetryOptions;
  readonly #tasks: Task[] = [];
  #events: EventObserver | undefined;
  #nftVersion = '';

  private constructor(options: TelemetryOptions, metrics: Metrics | undefined) {
    this.#options = options;
    this.#metrics = metrics;
    this.observer = this.#combinedObserver();
  }

  static async open(options: TelemetryOptions): Promise<Telemetry> {
    const { settings, engine, nftClient, log } = options;
    const { kubeProxy, nftlane } = settings();
    const { metricsBindAddress: address, bindAddressHardFail: hardFail } = kubeProxy;
    if (address === undefined) return new Telemetry(options, undefined);
    // The library is not small: without metrics it is not loaded.
    const { Metrics } = await import('../metrics/metrics.ts');
    const { DebugServer } = await import('../metrics/server/debug-server.ts');
    const { debugPages } = await import('../metrics/server/debug-pages.ts');
    const nft = { nftSession: () => nftClient.session, nftVersion: () => telemetry.#nftVersion };
    const connectionLimit = nftlane.metrics.connections;
    const process = { version: VERSION, ...nft };
    const metrics = new Metrics({ engine, tables: nftClient, clock: systemClock, log, process, connectionLimit });
    const telemetry = new Telemetry(options, metrics);
    const program = { name: 'nftlane', version: VERSION, startedAt: performance.timeOrigin, now: systemClock.now };
    const configuration = () => settings().documents.kubeProxy;
    const pages = debugPages({ metrics, program, configuration });
    const server = new DebugServer({ address, pages, hardFail, log, clock: systemClock });
    telemetry.#tasks.push((signal) => server.run(signal));
    return telemetry;
  }

  get requestObserver(): RequestObserver | undefined {
    return this.#metrics?.requestObserver;
  }

  /** The sink itself, or one that counts what goes into it. */
  countingSink(sink: Sink): Sink {
    return this.#metrics?.countingSink(sink) ?? sink;
  }

  countHealthResponse(path: HealthPath, status: number): void {
    this.#metrics?.countHealthResponse(path === '/livez' ? 'livez' : 'healthz', status);
  }

  /** A health check node port cannot be opened. */
  reportHealthPortFailure(failure: ListenFailure): void {
    this.#events?.healthPortFailed(failure);
  }

  observeConntrackCleanup(cleanUp: CleanupResult): void {
    this.#metrics?.observeConntrackCleanup(cleanUp);
  }

  setFastPathView(view: () => FastPathStatus): void {
    this.#metrics?.setFastPathView(view);
  }

  /** Objects come from an API server: it gets Events, and its watches are observed. */
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

  /** Serves and sends until the signal aborts. Rejects only with `hardFail`, where metrics cannot be served. */
  async run(nftVersion: string, signal: AbortSignal): Promise<void> {
    this.#nftVersion = nftVersion;
    this.#events?.started(VERSION);
    await Promise.all([...this.#tasks, untilAborted].map((task) => task(signal)));
  }

  #combinedObserver(): SyncObserver {
    const metrics = this.#metrics?.observer;
    const notifyAll = (notify: (observer: SyncObserver) => void) => () => {
      for (const observer of [metrics, this.#events]) if (observer !== undefined) notify(observer);
    };
    return {
      queued: (at) => this.#catchErrors(notifyAll((observer) => observer.queued?.(at))),
      syncStarted: () => this.#catchErrors(notifyAll((observer) => observer.syncStarted?.())),
      committed: (commit) => this.#catchErrors(notifyAll((observer) => observer.committed?.(commit))),
      failed: (error, attempt) => this.#catchErrors(notifyAll((observer) => observer.failed?.(error, attempt))),
      chainsModified: (chains) => this.#catchErrors(notifyAll((observer) => observer.chainsModified?.(chains))),
    };
  }

  /** No mistake made here shall keep a change from the kernel. */
  #catchErrors(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.log.error('metrics or Events have failed', {
        reason: error instanceof Error ? error.stack : error,
      });
    }
  }
}
