// Objects in, syncs out: joins the engine to the loop, and tells its observers what happens.

import { alteredChains } from '../engine/drift.ts';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { Read } from '../services/objects/read.ts';
import type { Sink } from '../services/objects/sink.ts';
import { Loop } from './loop.ts';
import type { SyncObserver } from './observer.ts';
import { Preloader } from './preloader.ts';
import { type SyncReport, sync, type Tables } from './sync.ts';

export interface DaemonParts {
  readonly engine: Engine;
  readonly tables: Tables;
  readonly log: Log;
  readonly clock: Clock;
  readonly observers?: readonly SyncObserver[];
  /** Holds back the first complete sync as long as it is false; asked again with each request. */
  readonly mayBegin?: () => boolean;
}

/**
 * How long chains stay that nothing leads to. Adding or removing a chain makes the kernel look at all verdicts of the
 * table, 21 ms at 10,000 Services, and a Service that grew by an endpoint may well shrink again.
 */
const TIDY_MS = 60_000;

/** How often it is looked whether somebody else has removed or changed our chains. */
const PROBE_MS = 10_000;

/** A sink that syncs. Nothing is applied before Services and EndpointSlices are both known. */
export class Daemon implements Sink {
  readonly #parts: DaemonParts;
  readonly #loop: Loop;
  /** When the oldest event that is not in the kernel yet arrived. */
  #oldestEvent: number | undefined;
  #listed = false;
  #attempt = { startedAt: 0, full: true };
  #complete = false;
  #tidiedAt = 0;
  #probedAt = 0;
  #preloader: Preloader | undefined;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    this.#preloader = new Preloader(parts);
    this.#loop = new Loop({
      work: () => this.#work(),
      onFailure: (error, retryInMs) => {
        const reason = reasonOf(error);
        parts.log.error('sync failed', { reason, retryInMs });
        const attempt = { ...this.#attempt, ms: parts.clock.now() - this.#attempt.startedAt };
        this.#tell((observer) => observer.failed?.(error, attempt));
      },
      clock: parts.clock,
    });
  }

  replace<K extends Kind>(kind: K, objects: readonly Read<KindMap[K]>[]): void {
    this.#parts.engine.replace(kind, objects);
    this.request();
  }

  /** Endpoints are most of the load, and come last: what is there of them is prepared. */
  arriving<K extends Kind>(kind: K, object: Read<KindMap[K]>): void {
    if (kind !== 'EndpointSlice' || this.#parts.engine.store.ready) return;
    this.#parts.engine.put(kind, object);
    this.#loop.request();
  }

  put<K extends Kind>(kind: K, object: Read<KindMap[K]>): void {
    this.#parts.engine.put(kind, object);
    this.request();
  }

  remove(kind: Kind, key: string): void {
    this.#parts.engine.remove(kind, key);
    this.request();
  }

  /** Something changed that the ruleset depends on. */
  request(): void {
    if (this.#oldestEvent === undefined) {
      const at = this.#parts.clock.now();
      this.#oldestEvent = at;
      this.#tell((observer) => observer.queued?.(at));
    }
    this.#loop.request();
  }

  async run(signal: AbortSignal): Promise<void> {
    const timer = setInterval(() => this.#loop.request(), PROBE_MS).unref();
    try {
      await this.#loop.run(signal);
    } finally {
      clearInterval(timer);
    }
  }

  async #work(): Promise<void> {
    const { engine, tables, clock } = this.#parts;
    if (!this.#complete) await this.#preload();
    if (!engine.store.ready) return;
    if (!this.#listed) this.#tell((observer) => observer.listed?.(clock.now()));
    this.#listed = true;
    if (!this.#mayBegin()) return;
    this.#attempt = { startedAt: clock.now(), full: !engine.known };
    await this.#probe();
    const startedAt = clock.now();
    const oldestEvent = this.#oldestEvent;
    this.#oldestEvent = undefined;
    this.#attempt = { startedAt, full: !engine.known };
    this.#tell((observer) => observer.began?.());
    let report: SyncReport;
    try {
      const tidy = startedAt - this.#tidiedAt >= TIDY_MS;
      if (tidy) engine.retryRefused();
      report = await sync(engine, tables, { tidy, clock, applying: () => this.#applying() });
      if (tidy) this.#tidiedAt = startedAt;
    } catch (error) {
      if (oldestEvent !== undefined) this.#oldestEvent = oldestEvent;
      throw error;
    }
    const now = clock.now();
    const latencyMs = now - (oldestEvent ?? startedAt);
    const times = { startedAt, ms: now - startedAt, latencyMs, hadEvents: oldestEvent !== undefined };
    this.#tell((observer) => observer.synced?.(report, times));
    this.#tellTroubles();
    if (this.#complete) return;
    this.#complete = true;
    this.#probedAt = now;
    this.#tell((observer) => observer.completed?.());
  }

  #mayBegin(): boolean {
    return this.#complete || (this.#parts.mayBegin?.() ?? true);
  }

  /** Only saves time: where it fails, the sync does all the work. */
  async #preload(): Promise<void> {
    const { engine, log } = this.#parts;
    const preloader = this.#preloader;
    if (preloader === undefined) return;
    try {
      await preloader.advance();
      if (!engine.store.ready) return;
      await preloader.settle();
    } catch (error) {
      engine.lost();
      await preloader.settle().catch(() => undefined);
      log.warn('endpoints cannot be loaded ahead', { reason: reasonOf(error) });
    }
    this.#preloader = undefined;
  }

  /** A flushed ruleset is repaired although nothing of ours changes. */
  async #probe(): Promise<void> {
    const { engine, tables, clock } = this.#parts;
    // Until the initial load is in, chains are missing because they are still to come.
    if (!this.#complete || !engine.known || tables.ruleCounts === undefined) return;
    if (clock.now() - this.#probedAt < PROBE_MS) return;
    this.#probedAt = clock.now();
    const altered = alteredChains(engine, await tables.ruleCounts());
    if (altered.length === 0) return;
    this.#tell((observer) => observer.altered?.(altered));
    engine.lost();
  }

  #tellTroubles(): void {
    const { engine } = this.#parts;
    const troubles = {
      findings: engine.store.findings(),
      collisions: engine.collisions(),
      refused: engine.refusals(),
    };
    this.#tell((observer) => observer.troubled?.(troubles));
  }

  async #applying(): Promise<void> {
    for (const observer of this.#parts.observers ?? []) await observer.applying?.();
  }

  #tell(what: (observer: SyncObserver) => void): void {
    for (const observer of this.#parts.observers ?? []) what(observer);
  }
}
