// Objects in, syncs out: joins the engine to the loop and says in the log what happens.
import type { Engine } from '../engine/engine.ts';
import { alteredChains } from '../inspect/drift.ts';
import { describeFinding } from '../kube/finding.ts';
import type { Kind, KindMap } from '../kube/kinds.ts';
import type { Read } from '../kube/read.ts';
import type { Sink } from '../kube/sink.ts';
import type { Clock } from '../sys/clock.ts';
import type { Log } from '../sys/log.ts';
import { Loop } from './loop.ts';
import { preload, type SyncReport, sync, type Tables } from './sync.ts';

export interface DaemonParts {
  readonly engine: Engine;
  readonly tables: Tables;
  readonly log: Log;
  readonly clock: Clock;
  /** Called once, when the initial load is in the kernel. */
  readonly onComplete?: () => void;
  /** Called after every sync that succeeded. */
  readonly onSynced?: () => void;
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
  #complete = false;
  #tidiedAt = 0;
  #probedAt = 0;
  #preloads = true;
  readonly #told = new Set<string>();

  constructor(parts: DaemonParts) {
    this.#parts = parts;
    this.#loop = new Loop({
      work: () => this.#work(),
      onFailure: (error, retryInMs) => {
        const reason = error instanceof Error ? error.message : String(error);
        parts.log.error('sync failed', { reason, retryInMs });
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
    this.#oldestEvent ??= this.#parts.clock.now();
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
    if (!engine.store.ready) return this.#preload();
    await this.#probe();
    const oldestEvent = this.#oldestEvent ?? clock.now();
    this.#oldestEvent = undefined;
    const started = clock.now();
    try {
      const tidy = started - this.#tidiedAt >= TIDY_MS;
      if (tidy) engine.retryRefused();
      const report = await sync(engine, tables, { tidy });
      if (tidy) this.#tidiedAt = started;
      this.#report(report, { ms: tenths(clock.now() - started), latencyMs: tenths(clock.now() - oldestEvent) });
      this.#parts.onSynced?.();
    } catch (error) {
      this.#oldestEvent = oldestEvent;
      throw error;
    }
  }

  /** Only saves time: where it fails, the sync does all the work. */
  async #preload(): Promise<void> {
    const { engine, tables, log } = this.#parts;
    if (!this.#preloads) return;
    try {
      await preload(engine, tables);
    } catch (error) {
      this.#preloads = false;
      log.warn('endpoints cannot be loaded ahead', { reason: error instanceof Error ? error.message : String(error) });
    }
  }

  /** A flushed ruleset is repaired although nothing of ours changes. */
  async #probe(): Promise<void> {
    const { engine, tables, log, clock } = this.#parts;
    if (!engine.known || tables.ruleCounts === undefined || clock.now() - this.#probedAt < PROBE_MS) return;
    this.#probedAt = clock.now();
    const altered = alteredChains(engine, await tables.ruleCounts());
    if (altered.length === 0) return;
    log.warn('somebody else changed our chains; repairing', {
      chains: altered.slice(0, 5).join(', '),
      count: altered.length,
    });
    engine.lost();
  }

  #report(report: SyncReport, times: { ms: number; latencyMs: number }): void {
    const { engine, log } = this.#parts;
    const { operations, transactions, refused, drift } = report;
    for (const reason of drift)
      log.warn('the kernel held something else than was applied; listed and repaired', { reason });
    for (const { service, reason } of refused) log.error('Service left out', { service, reason });
    this.#tellNews();
    if (!this.#complete) {
      const services = engine.store.services.size;
      log.info('ruleset complete', { services, operations, transactions, ...times });
      this.#parts.onComplete?.();
    } else if (operations > 0) {
      log.debug('synced', { operations, transactions, ...times });
    }
    this.#complete = true;
  }

  /** Findings and collisions, each once as long as it lasts. */
  #tellNews(): void {
    const { engine, log } = this.#parts;
    const now = new Map<string, () => void>();
    for (const finding of engine.store.findings()) {
      now.set(describeFinding(finding), () => log.warn('object cannot be used as it stands', { ...finding }));
    }
    for (const { frontend, winner, losers } of engine.collisions()) {
      const details = { frontend, winner, losers: losers.join(', ') };
      now.set(JSON.stringify(details), () => log.warn('several Services claim one frontend', details));
    }
    for (const [text, tell] of now) if (!this.#told.has(text)) tell();
    this.#told.clear();
    for (const text of now.keys()) this.#told.add(text);
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
