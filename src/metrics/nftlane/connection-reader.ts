// Reads the kernel's counters, seldom enough that it does not matter.
import { setTimeout as delay } from 'node:timers/promises';
import type { Tables } from '../../controller/sync.ts';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { reasonOf } from '../../lib/reason.ts';
import { FAMILIES } from '../../net/family.ts';
import { OBJECTS } from '../../nftables/compile/objects.ts';
import { COUNTED, ConnectionCounts } from './connection-counts.ts';

export interface ConnectionReaderParts {
  readonly tables: Pick<Tables, 'count'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
}

/** Scrapes closer together than this get the same numbers. */
const INTERVAL_MS = 10_000;
/** A hundred thousand elements take the kernel seconds to list: at most this part of the time is spent on it. */
const MOST_OF_TIME = 1 / 20;
/** A scrape does not wait longer for a reading: it gets the numbers of the one before. */
const PATIENCE_MS = 2_000;

const NAMES = new Set(Object.keys(COUNTED));
const MAPS = FAMILIES.flatMap((family) => Object.values(OBJECTS[family]).filter(({ name }) => NAMES.has(name)));

/** Keeps the counts. Nothing is read unless somebody asks. */
export class ConnectionReader {
  readonly counts = new ConnectionCounts();
  readonly #parts: ConnectionReaderParts;
  #reading: Promise<void> | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;
  #readAt: number | undefined;
  #tookMs = 0;
  #told = '';

  constructor(parts: ConnectionReaderParts) {
    this.#parts = parts;
  }

  /** When the kernel was last read, and how long that took, in milliseconds; `undefined` before the first time. */
  get last(): { readonly at: number; readonly ms: number } | undefined {
    return this.#readAt === undefined ? undefined : { at: this.#readAt, ms: this.#tookMs };
  }

  /** Reads the kernel if that is due. Never rejects. */
  async refresh(): Promise<void> {
    const isDue = this.#parts.clock.now() >= this.#notBefore;
    if (this.#reading === undefined && isDue) this.#reading = this.#read();
    if (this.#reading === undefined) return;
    const patience = new AbortController();
    await Promise.race([this.#reading, delay(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {})]);
    patience.abort();
  }

  async #read(): Promise<void> {
    const { tables, clock, log } = this.#parts;
    const startedAt = clock.now();
    try {
      this.counts.add(await tables.count(MAPS));
      this.#readAt = clock.now();
      this.#tookMs = this.#readAt - startedAt;
      this.#told = '';
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#told) log.warn('new connections cannot be counted', { reason });
      this.#told = reason;
    }
    const took = clock.now() - startedAt;
    this.#notBefore = startedAt + Math.max(INTERVAL_MS, took / MOST_OF_TIME);
    this.#reading = undefined;
  }
}
