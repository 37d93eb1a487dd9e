// Every few seconds: flows that are over are deleted, the others and all packets counted, and answers that are missing noticed.

import type { Log } from '../../host/log.ts';
import type { Collected, Programs } from '../loader/programs.ts';
import type { FlowCounts, PlacedFrontend, Tables } from '../maps/tables.ts';
import type { FastPathTotals, PacketCount } from '../status/status.ts';
import { Watchdog } from './watchdog.ts';

/** In milliseconds: not more often than this. */
export const COLLECT_MS = 3000;
/** In milliseconds: how long a Service port whose answers did not come is left to nft. */
const PENALTY_MS = 600_000;

/** What the last collection has found. */
export interface LastCounts {
  readonly collected: Collected;
  readonly packets: readonly PacketCount[];
}

type Counters = Pick<Programs, 'collect' | 'stats' | 'slotCounts'>;

export class Collector {
  readonly #programs: Counters;
  readonly #log: Log;
  readonly #watchdog = new Watchdog();
  /** Service ports that are left to nft, and until when. */
  readonly #penalties = new Map<string, number>();
  #at = Number.NEGATIVE_INFINITY;
  #flows: FlowCounts | undefined;
  #last: LastCounts | undefined;
  #totals: Omit<FastPathTotals, 'failures' | 'loaderRestarts'> = {
    collections: 0,
    scanned: 0,
    deleted: 0,
    handBacks: 0,
  };

  constructor(of: { readonly programs: Counters; readonly log: Log }) {
    this.#programs = of.programs;
    this.#log = of.log;
  }

  /** Since the maps were last read; `undefined` before that. */
  get flows(): FlowCounts | undefined {
    return this.#flows;
  }

  get last(): LastCounts | undefined {
    return this.#last;
  }

  /** Since this process began. */
  get totals(): Omit<FastPathTotals, 'failures' | 'loaderRestarts'> {
    return this.#totals;
  }

  /** The maps may be others. */
  forget(): void {
    this.#flows = undefined;
  }

  /** Whether new flows of a Service port are nft's for now. `now` in milliseconds. */
  isLeft(servicePort: string, now: number): boolean {
    return (this.#penalties.get(servicePort) ?? 0) > now;
  }

  /** Says whether a Service port was left to nft just now. Does nothing when the last time was a moment ago. */
  async collect(tables: Tables, placed: readonly PlacedFrontend[], now: number): Promise<boolean> {
    if (now - this.#at < COLLECT_MS - 100) return false;
    this.#at = now;
    const collected = await this.#programs.collect();
    const { collections, scanned, deleted, handBacks } = this.#totals;
    this.#flows = { at: now, bySlot: collected.bySlot };
    const left = await this.#watch(tables, placed, now);
    this.#last = { collected, packets: await this.#programs.stats() };
    this.#totals = {
      collections: collections + 1,
      scanned: scanned + collected.scanned,
      deleted: deleted + collected.deleted,
      handBacks: handBacks + left,
    };
    return left > 0;
  }

  /** Leaves Service ports to nft for a while whose connections are never answered by way of the programs: how many. */
  async #watch(tables: Tables, placed: readonly PlacedFrontend[], now: number): Promise<number> {
    const tcp = [...tables.slots.used].filter(({ backend }) => backend.protocol === 'tcp');
    const slots = new Map(tcp.map(({ index, backend }) => [index, backend.gen]));
    const suspects = this.#watchdog.suspects(slots, { counts: await this.#programs.slotCounts(), now });
    const numbers = new Set(suspects.map((slot) => tables.slots.get(slot)?.backend.svc));
    const left = new Set<string>();
    for (const { key, servicePort } of placed) {
      const frontend = tables.frontendOf(key);
      if (frontend !== undefined && !frontend.pass && numbers.has(frontend.svc)) left.add(servicePort);
    }
    for (const servicePort of left) {
      this.#penalties.set(servicePort, now + PENALTY_MS);
      this.#log.warn('connections by the fast path are not answered: nft takes over', { servicePort });
    }
    return left.size;
  }
}
