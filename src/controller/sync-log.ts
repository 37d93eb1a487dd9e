// What the log says of syncs, and of objects that cannot be used.

import type { Log } from '../host/log.ts';
import { describeFinding } from '../services/objects/finding.ts';
import type { SyncObserver, SyncTimes, Troubles } from './observer.ts';
import type { SyncReport } from './sync.ts';

/** Says each trouble once as long as it lasts. */
export class SyncLog implements SyncObserver {
  readonly #log: Log;
  /** How many Services there are now. */
  readonly #services: () => number;
  readonly #told = new Set<string>();
  #complete = false;

  constructor({ log, services }: { log: Log; services: () => number }) {
    this.#log = log;
    this.#services = services;
  }

  synced({ operations, transactions, refused, drift }: SyncReport, times: SyncTimes): void {
    const rounded = { ms: tenths(times.ms), latencyMs: tenths(times.latencyMs) };
    for (const reason of drift) {
      this.#log.warn('the kernel held something else than was applied; listed and repaired', { reason });
    }
    for (const { service, reason } of refused) this.#log.error('Service left out', { service, reason });
    if (!this.#complete) {
      this.#log.info('ruleset complete', { services: this.#services(), operations, transactions, ...rounded });
    } else if (operations > 0) {
      this.#log.debug('synced', { operations, transactions, ...rounded });
    }
    this.#complete = true;
  }

  altered(chains: readonly string[]): void {
    const some = chains.slice(0, 5).join(', ');
    this.#log.warn('somebody else changed our chains; repairing', { chains: some, count: chains.length });
  }

  troubled({ findings, collisions }: Troubles): void {
    const now = new Map<string, () => void>();
    for (const finding of findings) {
      const tell = () => this.#log.warn('object cannot be used as it stands', { ...finding });
      now.set(describeFinding(finding), tell);
    }
    for (const { frontend, winner, losers } of collisions) {
      const details = { frontend, winner, losers: losers.join(', ') };
      now.set(JSON.stringify(details), () => this.#log.warn('several Services claim one frontend', details));
    }
    for (const [text, tell] of now) if (!this.#told.has(text)) tell();
    this.#told.clear();
    for (const text of now.keys()) this.#told.add(text);
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
