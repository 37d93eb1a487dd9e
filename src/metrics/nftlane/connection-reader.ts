// Reads the kernel's connection counters at a limited rate.

import { setTimeout as delay } from 'node:timers/promises';
import type { RulesetClient } from '../../controller/sync.ts';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { LogOnce } from '../../host/log-once.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { COUNTED_OBJECTS, ConnectionCounts } from './connection-counts.ts';

interface ConnectionReaderOptions {
  readonly nftClient: Pick<RulesetClient, 'listElements'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
}

/** Scrapes within this time get the same values. */
const INTERVAL_MS = 10_000;
/** The maximum share of time spent on reading: listing a hundred thousand elements takes the kernel seconds. */
const MAX_DUTY_CYCLE = 1 / 20;
/** A scrape that has waited this long gets the previous values. */
const SCRAPE_WAIT_MS = 2_000;

const MAPS = COUNTED_OBJECTS.map(({ object }) => object);

/** Reads only on request. */
export class ConnectionReader {
  readonly counts = new ConnectionCounts();
  readonly #options: ConnectionReaderOptions;
  #reading: Promise<void> | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;
  #readAt: number | undefined;
  #durationMs = 0;
  readonly #failures: LogOnce;

  constructor(options: ConnectionReaderOptions) {
    this.#options = options;
    this.#failures = new LogOnce(options.log);
  }

  /** When the counters were last read, and the duration, in milliseconds; `undefined` before the first read. */
  get lastRead(): { readonly at: number; readonly durationMs: number } | undefined {
    return this.#readAt === undefined ? undefined : { at: this.#readAt, durationMs: this.#durationMs };
  }

  /** Reads the counters if that is due. Never rejects. */
  async refresh(): Promise<void> {
    const isDue = this.#options.clock.now() >= this.#notBefore;
    if (this.#reading === undefined && isDue) this.#reading = this.#read();
    if (this.#reading === undefined) return;
    const timeout = new AbortController();
    await Promise.race([this.#reading, delay(SCRAPE_WAIT_MS, undefined, { signal: timeout.signal }).catch(() => {})]);
    timeout.abort();
  }

  async #read(): Promise<void> {
    const { nftClient, clock } = this.#options;
    const startedAt = clock.now();
    try {
      this.counts.add(await nftClient.listElements(MAPS));
      this.#readAt = clock.now();
      this.#durationMs = this.#readAt - startedAt;
      if (this.#failures.reset()) this.#options.log.info('connection counters are read again');
    } catch (error) {
      this.#failures.log('warn', 'cannot read connection counters', { reason: errorMessage(error) });
    }
    const durationMs = clock.now() - startedAt;
    this.#notBefore = startedAt + Math.max(INTERVAL_MS, durationMs / MAX_DUTY_CYCLE);
    this.#reading = undefined;
  }
}
