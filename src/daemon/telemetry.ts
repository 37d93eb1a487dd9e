// Metrics and Events of the daemon: made and joined to its parts, or left out.

import type { Settings } from '../config/settings.ts';
import type { CleanUp } from '../conntrack/flow-cleaner.ts';
import type { SyncObserver } from '../controller/observer.ts';
import type { Engine } from '../engine/engine.ts';
import { EventObserver } from '../events/event-observer.ts';
import { EventRecorder } from '../events/event-recorder.ts';
import { ApiEventWriter } from '../events/event-writer.ts';
import type { FastPathView } from '../fastpath/status/status.ts';
import type { PortFailure } from '../health/port-listeners.ts';
import type { HealthPath } from '../health/proxy-answers.ts';
import { systemClock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { untilAborted } from '../lib/until-aborted.ts';
import { VERSION } from '../lib/version.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Kernel } from '../nftables/client/kernel.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { ApiClient, RequestObserver } from '../sources/api-server/client/api-client.ts';
import type { ReflectorState } from '../sources/api-server/reflector-state.ts';

export interface TelemetryParts {
  /** The settings in force. Without `metricsBindAddress` nothing is served, and then nothing is measured either. */
  readonly settings: () => Pick<Settings, 'config' | 'documents' | 'own'>;
  readonly engine: Engine;
  readonly kernel: Kernel;
  readonly log: Log;
}

type Task = (signal: AbortSignal) => Promise<void>;

/** Without metrics and without an API server it does nothing. Its observers may be handed out before they are known. */
export class Telemetry {
  readonly observer: SyncObserver;
  readonly #metrics: Metrics | undefined;
  readonly #parts: TelemetryParts;
  readonly #tasks: Task[] = [];
  #events: EventObserver | undefined;
  #nftVersion = '';

  private constructor(parts: TelemetryParts, metrics: Metrics | undefined) {
    this.#parts = parts;
    this.#metrics = metrics;
    this.observer = this.#joined();
  }

  static async open(parts: TelemetryParts): Promise<Telemetry> {
    const { settings, engine, kernel, log } = parts;
    const { config, own } = settings();
    const { metricsBindAddress: address, bindAddressHardFail: hardFail } = config;
    if (address === undefined) return new Telemetry(parts, undefined);
    // The library is not small: without metrics it is not loaded.
    const { Metrics } = await import('../metrics/metrics.ts');
    const { DebugServer } = await import('../metrics/server/debug-server.ts');
    const { debugPages } = await import('../metrics/server/pages.ts');
    const nft = { nftSession: () => kernel.session, nftVersion: () => telemetry.#nftVersion };
    const connectionLimit = own.metrics.connections;
    const process = { version: VERSION, ...nft };
    const metrics = new Metrics({ engine, tables: kernel, clock: systemClock, log, process, connectionLimit });
    const telemetry = new Telemetry(parts, metrics);
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
  count(sink: Sink): Sink {
    return this.#metrics?.count(sink) ?? sink;
  }

  healthAnswered(path: HealthPath, status: number): void {
    this.#metrics?.healthAnswered(path === '/livez' ? 'livez' : 'healthz', status);
  }

  /** A health check node port cannot be opened. */
  healthPortFailed(failure: PortFailure): void {
    this.#events?.healthPortFailed(failure);
  }

  cleaned(run: CleanUp): void {
    this.#metrics?.cleaned(run);
  }

  showFastPath(view: () => FastPathView): void {
    this.#metrics?.showFastPath(view);
  }

  /** Objects come from an API server: it gets Events, and its watches are observed. */
  connect(client: ApiClient, states: () => readonly ReflectorState[]): void {
    const { engine, log } = this.#parts;
    const { nodeName } = engine.options;
    this.#metrics?.watch(states);
    const onOutcome = this.#metrics?.eventEnded.bind(this.#metrics) ?? (() => {});
    const recorder = new EventRecorder({
      writer: new ApiEventWriter(client),
      nodeName,
      clock: systemClock,
      log,
      onOutcome,
    });
    this.#events = new EventObserver({
      nodeName,
      tell: (happening) => recorder.tell(happening),
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

  #joined(): SyncObserver {
    const metrics = this.#metrics?.observer;
    const both = (tell: (observer: SyncObserver) => void) => () => {
      for (const observer of [metrics, this.#events]) if (observer !== undefined) tell(observer);
    };
    return {
      queued: (at) => this.#safely(both((observer) => observer.queued?.(at))),
      began: () => this.#safely(both((observer) => observer.began?.())),
      synced: (report, times) => this.#safely(both((observer) => observer.synced?.(report, times))),
      completed: () => this.#safely(both((observer) => observer.completed?.())),
      failed: (error, attempt) => this.#safely(both((observer) => observer.failed?.(error, attempt))),
      altered: (chains) => this.#safely(both((observer) => observer.altered?.(chains))),
      troubled: (troubles) => this.#safely(both((observer) => observer.troubled?.(troubles))),
    };
  }

  /** No mistake made here shall keep a change from the kernel. */
  #safely(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.#parts.log.error('metrics or Events have failed', { reason: error instanceof Error ? error.stack : error });
    }
  }
}
