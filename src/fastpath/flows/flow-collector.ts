// Every few seconds: flows that are over are deleted, the others and all packets counted, and answers that are missing noticed.

import type { Log } from '../../host/log.ts';
import type { CollectResult, LoaderClient, PacketCount } from '../loader/loader-client.ts';
import type { FlowCounts, MapState, ResolvedFrontend } from '../maps/map-state.ts';
import { ReplyWatchdog } from './reply-watchdog.ts';

/** In milliseconds: not more often than this. */
export const COLLECT_MS = 3000;
/** In milliseconds: how long a Service port whose answers did not come is left to nft. */
const SUSPENSION_MS = 600_000;

/** Since the daemon began. */
export interface CollectionTotals {
  /** Runs through the tables of flows, and entries that were looked at and deleted there. */
  readonly collections: number;
  readonly scanned: number;
  readonly deleted: number;
  /** Service ports that were handed back to nft because connections were not answered. */
  readonly fallbacks: number;
}

/** What the last collection has found. */
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
  readonly #programs: Counters;
  readonly #log: Log;
  readonly #watchdog = new ReplyWatchdog();
  /** Service ports that are left to nft, and until when. */
  readonly #suspendedUntil = new Map<string, number>();
  #at = Number.NEGATIVE_INFINITY;
  #flows: FlowCounts | undefined;
  #last: LastCollection | undefined;
  #totals: CollectionTotals = { collections: 0, scanned: 0, deleted: 0, fallbacks: 0 };

  constructor(of: { readonly programs: Counters; readonly log: Log }) {
    this.#programs = of.programs;
    this.#log = of.log;
  }

  /** Since the maps were last read; `undefined` before that. */
  get flows(): FlowCounts | undefined {
    return this.#flows;
  }

  get last(): LastCollection | undefined {
    return this.#last;
  }

  /** Since this process began. */
  get totals(): CollectionTotals {
    return this.#totals;
  }

  /** The maps may be others. */
  reset(): void {
    this.#flows = undefined;
  }

  /** Service ports whose new flows are nft's for now. `now` in milliseconds. */
  suspendedAt(now: number): Set<string> {
    return new Set([...this.#suspendedUntil].flatMap(([servicePort, until]) => (until > now ? servicePort : [])));
  }

  /** Says whether a Service port was left to nft just now. Does nothing when the last time was a moment ago. */
  async collect(maps: MapState, { frontends, now }: CollectInput): Promise<boolean> {
    if (now - this.#at < COLLECT_MS - 100) return false;
    this.#at = now;
    const collected = await this.#programs.collect();
    const { collections, scanned, deleted, fallbacks } = this.#totals;
    this.#flows = { at: now, bySlot: collected.bySlot };
    const suspended = await this.#suspendUnanswered(maps, { frontends, now });
    this.#last = { collected, packets: await this.#programs.stats() };
    this.#totals = {
      collections: collections + 1,
      scanned: scanned + collected.scanned,
      deleted: deleted + collected.deleted,
      fallbacks: fallbacks + suspended,
    };
    return suspended > 0;
  }

  /** Leaves Service ports to nft for a while whose connections are never answered by way of the programs: how many. */
  async #suspendUnanswered(maps: MapState, { frontends, now }: CollectInput): Promise<number> {
    const tcp = [...maps.slots.used].filter(({ backend }) => backend.protocol === 'tcp');
    const slots = new Map(tcp.map(({ index, backend }) => [index, backend.gen]));
    const unanswered = this.#watchdog.findUnanswered(slots, { counts: await this.#programs.slotCounts(), now });
    const servicePortIds = new Set(unanswered.map((slot) => maps.slots.get(slot)?.backend.svc));
    const suspended = new Set<string>();
    for (const { key, servicePort } of frontends) {
      const frontend = maps.frontendOf(key);
      if (frontend !== undefined && !frontend.suspended && servicePortIds.has(frontend.svc)) suspended.add(servicePort);
    }
    for (const servicePort of suspended) {
      this.#suspendedUntil.set(servicePort, now + SUSPENSION_MS);
      this.#log.warn('connections by the fast path are not answered: nft takes over', { servicePort });
    }
    return suspended.size;
  }
}
