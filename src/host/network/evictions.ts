// Counts and reports the connections that servers closed to make room for others.

import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

const REPORT_INTERVAL_MS = 60_000;

/** Logs the first one and then once a minute for each server: the clients must not fill the log. */
export class Evictions {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #counts = new Map<string, number>();
  readonly #reported = new Map<string, { readonly at: number; readonly count: number }>();

  constructor({ log, clock }: { log: Log; clock: Pick<Clock, 'now'> }) {
    this.#log = log;
    this.#clock = clock;
  }

  /** By server, since the start. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  add(server: string, client: string): void {
    const count = (this.#counts.get(server) ?? 0) + 1;
    this.#counts.set(server, count);
    const now = this.#clock.now();
    const last = this.#reported.get(server) ?? { at: Number.NEGATIVE_INFINITY, count: 0 };
    if (now - last.at < REPORT_INTERVAL_MS) return;
    this.#reported.set(server, { at: now, count });
    this.#log.warn('too many connections to a server; closing the oldest idle ones', {
      server,
      client,
      count: count - last.count,
    });
  }
}
