// Syncs the kernel with the objects of a source, and notifies observers.

import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { MonitorGap } from '../nftables/client/monitor/nft-monitor.ts';
import type { RulesetCommit } from '../nftables/syntax/notification.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Sink } from '../services/objects/sink.ts';
import { BoundedFrequencyRunner } from './bounded-frequency-runner.ts';
import { Preloader } from './preloader.ts';
import { Repairs, type RulesetContest } from './repair/repairs.ts';
import { StartGate, type StartGuard } from './start-gate.ts';
import { type RulesetClient, type SyncReport, sync } from './sync.ts';
import type { SyncObserver } from './sync-observer.ts';
import { TableCheck } from './table-check.ts';

interface SyncControllerOptions {
  readonly engine: Engine;
  readonly nftClient: RulesetClient;
  readonly log: Log;
  readonly clock: Clock;
  readonly observers?: readonly SyncObserver[];
  /** Delays the first sync while it returns false; checked again at each request. */
  readonly canStart?: () => boolean;
  /** Keeps the first sync from taking most Services from the kernel. Default: it may. */
  readonly startGuard?: () => StartGuard | undefined;
  /** Whether changes by other processes are notified at present. Default: they are. */
  readonly isNotified?: () => boolean;
}

/**
 * How long unreferenced chains stay. Adding or removing a chain makes the kernel check all verdicts of the table (21 ms with
 * 10,000 Services), and a Service that gained an endpoint may lose it again.
 */
const CLEANUP_INTERVAL_MS = 60_000;

/** How often a sync starts that has nothing to do but the checks. */
const CHECK_INTERVAL_MS = 10_000;

/** Applies nothing before both Services and EndpointSlices are complete. */
export class SyncController implements Sink {
  readonly #options: SyncControllerOptions;
  readonly #runner: BoundedFrequencyRunner;
  readonly #repairs: Repairs;
  /** The arrival of the oldest event that is not in the kernel yet. */
  #oldestEvent: number | undefined;
  #hasListed = false;
  #attempt = { startedAt: 0, full: true };
  #isComplete = false;
  #cleanedUpAt = 0;
  /** The last check of the tables found differences that are not repaired yet. */
  #hasDifferences = false;
  readonly #tableCheck: TableCheck;
  readonly #startGate: StartGate;
  #preloader: Preloader | undefined;

  constructor(options: SyncControllerOptions) {
    this.#options = options;
    this.#preloader = new Preloader(options);
    const { startGuard: guard = () => undefined } = options;
    this.#startGate = new StartGate({ ...options, guard, request: () => this.#runner.request() });
    this.#tableCheck = new TableCheck({ ...options, noticed: () => this.#noticed() });
    this.#repairs = new Repairs({
      ...options,
      tableCheck: this.#tableCheck,
      request: () => this.#runner.request(),
      onCommit: (changes) => this.#notify((observer) => observer.foreignCommit?.(changes)),
      onReport: (changes) => this.#notify((observer) => observer.foreignChanges?.(changes)),
      onContest: (contest) => this.#notify((observer) => observer.contested?.(contest)),
    });
    this.#runner = new BoundedFrequencyRunner({
      task: () => this.#sync(),
      onFailure: (error, retryInMs) => {
        const reason = errorMessage(error);
        this.#repairs.failed();
        options.log.error('sync failed', { reason, retryInMs });
        const attempt = { ...this.#attempt, durationMs: options.clock.now() - this.#attempt.startedAt };
        this.#notify((observer) => observer.failed?.(error, attempt));
      },
      clock: options.clock,
    });
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    this.#options.engine.replace(kind, objects);
    this.request();
  }

  /** Endpoints are most of the load and arrive last: they are loaded before the list is complete. */
  preview<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    if (kind !== 'EndpointSlice' || this.#options.engine.store.isReady) return;
    this.#options.engine.put(kind, object);
    this.#runner.request();
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#options.engine.put(kind, object);
    this.request();
  }

  remove(kind: Kind, key: string): void {
    this.#options.engine.remove(kind, key);
    this.request();
  }

  /** Requests a sync because an input of the ruleset changed. */
  request(): void {
    if (this.#oldestEvent === undefined) {
      const at = this.#options.clock.now();
      this.#oldestEvent = at;
      this.#notify((observer) => observer.queued?.(at));
    }
    this.#runner.request();
  }

  /** Repairs what another process changed in our tables: immediately, unless it undoes the repairs again and again. */
  repair(commit: RulesetCommit): void {
    this.#repairs.observe(commit);
  }

  /**
   * Finds the changes of other processes that were not notified: a check of the tables after the start, when everything was
   * listed or written a moment ago, and when they do not take a probe; otherwise a listing.
   */
  recoverFromGap(gap: MonitorGap): void {
    if (gap === 'start' || gap === 'refused') {
      this.#tableCheck.hasten();
      this.#runner.request();
    } else {
      this.#repairs.observeLoss();
    }
  }

  /** The process that undoes the repairs again and again; `undefined` if there is none. */
  get contest(): RulesetContest | undefined {
    return this.#repairs.contest;
  }

  async run(signal: AbortSignal): Promise<void> {
    const timer = setInterval(() => this.#runner.request(), CHECK_INTERVAL_MS).unref();
    try {
      await this.#runner.run(signal);
    } finally {
      clearInterval(timer);
    }
  }

  async #sync(): Promise<void> {
    const { engine, nftClient, clock } = this.#options;
    if (!this.#isComplete) await this.#preload();
    if (!engine.store.isReady || !(this.#isComplete || (await this.#passGate()))) return;
    if (!this.#hasListed) this.#notify((observer) => observer.listed?.(clock.now()));
    this.#hasListed = true;
    if (!this.#canStart() || !this.#repairs.begin({ hasChanges: this.#oldestEvent !== undefined })) return;
    this.#attempt = { startedAt: clock.now(), full: !engine.isKernelKnown };
    await this.#checkTables();
    const startedAt = clock.now();
    const oldestEvent = this.#oldestEvent;
    this.#oldestEvent = undefined;
    this.#attempt = { startedAt, full: !engine.isKernelKnown };
    this.#notify((observer) => observer.syncStarted?.());
    let report: SyncReport;
    try {
      const cleanup = startedAt - this.#cleanedUpAt >= CLEANUP_INTERVAL_MS;
      if (cleanup) engine.retryRefused();
      const beforeApply: SyncObserver['beforeApply'] = (...planned) => this.#beforeApply(...planned);
      report = await sync(engine, nftClient, { cleanup, piecewise: this.#isComplete, clock, beforeApply });
      if (cleanup) this.#cleanedUpAt = startedAt;
      await this.#tableCheck.confirmRepair();
    } catch (error) {
      if (oldestEvent !== undefined) this.#oldestEvent = oldestEvent;
      throw error;
    }
    this.#committed(report, { startedAt, oldestEvent });
  }

  #committed(
    report: SyncReport,
    { startedAt, oldestEvent }: { readonly startedAt: number; readonly oldestEvent: number | undefined },
  ): void {
    const { engine, clock } = this.#options;
    const at = clock.now();
    const hadEvents = oldestEvent !== undefined;
    const times = { startedAt, durationMs: at - startedAt, latencyMs: at - (oldestEvent ?? startedAt), hadEvents };
    const isInitial = !this.#isComplete;
    const foundChanges = report.full || report.drift.length > 0 || this.#hasDifferences;
    const isRepair = !isInitial && (this.#repairs.isRepairing || foundChanges);
    this.#hasDifferences = false;
    this.#repairs.committed();
    const problems = {
      issues: engine.issues(),
      conflicts: engine.conflicts(),
      refused: engine.refusals(),
      limited: engine.limited(),
    };
    if (isInitial) this.#tableCheck.postpone();
    this.#isComplete = true;
    const commit = { at, services: engine.changes.take(), report, times, problems, isInitial, isRepair };
    this.#notify((observer) => observer.committed?.(commit));
    if (engine.hasMore) this.request();
  }

  #noticed(): number | undefined {
    return (this.#options.isNotified?.() ?? true) ? this.#repairs.noticed : undefined;
  }

  /** While the start is held, no change waits: neither health nor the latency of the first sync counts it. */
  async #passGate(): Promise<boolean> {
    const { engine, clock } = this.#options;
    this.#attempt = { startedAt: clock.now(), full: !engine.isKernelKnown };
    const state = await this.#startGate.pass();
    if (state === 'opened') this.#oldestEvent = clock.now();
    if (state === 'closed') this.#notify((observer) => observer.startHeld?.());
    return state !== 'closed';
  }

  #canStart(): boolean {
    return this.#isComplete || (this.#options.canStart?.() ?? true);
  }

  /** Only saves time: if it fails, the sync does all the work. */
  async #preload(): Promise<void> {
    const { engine, log } = this.#options;
    const preloader = this.#preloader;
    if (preloader === undefined) return;
    try {
      await preloader.advance();
      if (!engine.store.isReady) return;
      await preloader.drain();
    } catch (error) {
      engine.invalidate();
      await preloader.drain().catch(() => undefined);
      log.warn('preloading endpoints failed', { reason: errorMessage(error) });
    }
    this.#preloader = undefined;
  }

  /** Repairs a flushed ruleset even when no object changes. */
  async #checkTables(): Promise<void> {
    // During the initial load, chains are missing because they are not loaded yet.
    if (!this.#isComplete || !this.#repairs.canCheck) return;
    const differences = await this.#tableCheck.findDifferences();
    this.#hasDifferences ||= differences.length > 0;
    if (differences.length === 0 || this.#repairs.isReported) return;
    const names = differences.map(({ family, kind, name }) =>
      kind === 'table' ? `${family} table` : `${family} ${name}`,
    );
    this.#notify((observer) => observer.chainsModified?.(names));
  }

  async #beforeApply(...planned: Parameters<NonNullable<SyncObserver['beforeApply']>>): Promise<void> {
    const { observers = [] } = this.#options;
    await Promise.all(observers.map((observer) => observer.beforeApply?.(...planned)));
  }

  /** An observer that throws must not keep a commit, which is reported once, from the others. */
  #notify(call: (observer: SyncObserver) => void): void {
    const { observers = [], log } = this.#options;
    for (const observer of observers) {
      try {
        call(observer);
      } catch (error) {
        log.error('sync observer failed', { reason: errorMessage(error) });
      }
    }
  }
}
