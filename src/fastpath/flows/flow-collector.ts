// Collects expired flows every few seconds, counts flows and packets, and suspends Service ports without replies.

import type { Log } from '../../host/log.ts';
import type { CollectResult, LoaderClient, PacketCount } from '../loader/loader-client.ts';
import type { FlowCounts, MapState, ResolvedFrontend } from '../maps/map-state.ts';
import { ReplyWatchdog } from './reply-watchdog.ts';

/** Interval of collections. */
export const COLLECT_MS = 3000;
/** How long nftables serves a Service port whose connections got no replies. */
const SUSPENSION_MS = 600_000;

/** Counted since the daemon started. */
export interface CollectionTotals {
  /** Collections, and the entries that they scanned and deleted. */
  readonly collections: number;
  readonly scanned: number;
  readonly deleted: number;
  /** Suspensions of Service ports. */
  readonly fallbacks: number;
}

/** Result of a collection. */
export interface LastCollection {
  readonly collected: CollectResult;
  readonly packets: readonly PacketCount[];
}

interface CollectInput {
  readonly frontends: readonly ResolvedFrontend[];
  /** In milliseconds. */
  readonly now: number;
}

type Counters = Pick<LoaderClient, 'collect' | 'stats' | 'slotCounts'>;

export class FlowCollector {
  readonly #loader: Counters;
  readonly #log: Log;
  readonly #watchdog = new ReplyWatchdog();
  /** When the suspension of each Service port ends, in milliseconds. */
  readonly #suspendedUntil = new Map<string, number>();
  #collectedAt = Number.NEGATIVE_INFINITY;
  #flows: FlowCounts | undefined;
  #last: LastCollection | undefined;
  #totals: CollectionTotals = { collections: 0, scanned: 0, deleted: 0, fallbacks: 0 };

  constructor(options: { readonly loader: Counters; readonly log: Log }) {
    this.#loader = options.loader;
    this.#log = options.log;
  }

  /** Latest counts; `undefined` until the first collection after {@link reset}. */
  get flows(): FlowCounts | undefined {
    return this.#flows;
  }

  get last(): LastCollection | undefined {
    return this.#last;
  }

  get totals(): CollectionTotals {
    return this.#totals;
  }

  /** Forgets the counts: the maps were read again. */
  reset(): void {
    this.#flows = undefined;
  }

  /** Suspended Service ports. `now` in milliseconds. */
  suspendedAt(now: number): Set<string> {
    return new Set([...this.#suspendedUntil].flatMap(([servicePort, until]) => (until > now ? servicePort : [])));
  }

  #endSuspensions(now: number): void {
    for (const [servicePort, until] of this.#suspendedUntil) {
      if (until > now) continue;
      this.#suspendedUntil.delete(servicePort);
      this.#log.info('fast path serves a Service port again', { servicePort });
    }
  }

  /** Returns whether a Service port was suspended. Does nothing before the interval is over. */
  async collect(maps: MapState, { frontends, now }: CollectInput): Promise<boolean> {
    if (now - this.#collectedAt < COLLECT_MS - 100) return false;
    this.#collectedAt = now;
    this.#endSuspensions(now);
    const collected = await this.#loader.collect();
    const { collections, scanned, deleted, fallbacks } = this.#totals;
    this.#flows = { at: now, bySlot: collected.bySlot };
    const suspended = await this.#suspendUnanswered(maps, { frontends, now });
    this.#last = { collected, packets: await this.#loader.stats() };
    this.#totals = {
      collections: collections + 1,
      scanned: scanned + collected.scanned,
      deleted: deleted + collected.deleted,
      fallbacks: fallbacks + suspended,
    };
    return suspended > 0;
  }

  /** Suspends the Service ports whose connections through the programs get no replies. Returns how many. */
  async #suspendUnanswered(maps: MapState, { frontends, now }: CollectInput): Promise<number> {
    const tcp = [...maps.slots.used].filter(({ backend }) => backend.protocol === 'tcp');
    const slots = new Map(tcp.map(({ index, backend }) => [index, backend.gen]));
    const unanswered = this.#watchdog.findUnanswered(slots, { counts: await this.#loader.slotCounts(), now });
    const servicePortIds = new Set(unanswered.map((slot) => maps.slots.get(slot)?.backend.svc));
    const suspended = new Set<string>();
    for (const { key, servicePort } of frontends) {
      const frontend = maps.frontendOf(key);
      if (frontend !== undefined && !frontend.suspended && servicePortIds.has(frontend.svc)) suspended.add(servicePort);
    }
    for (const servicePort of suspended) {
      this.#suspendedUntil.set(servicePort, now + SUSPENSION_MS);
      this.#log.warn('no replies through the fast path; nftables takes over', { servicePort });
    }
    return suspended.size;
  }
}
