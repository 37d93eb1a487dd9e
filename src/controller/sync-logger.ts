// What the log says of syncs, and of objects that cannot be used.

import type { Log } from '../host/log.ts';
import { formatIssue } from '../services/objects/validation-issue.ts';
import type { Commit, Problems, SyncObserver } from './sync-observer.ts';

/** Says each trouble once as long as it lasts. */
export class SyncLogger implements SyncObserver {
  readonly #log: Log;
  /** How many Services there are now. */
  readonly #serviceCount: () => number;
  readonly #logged = new Set<string>();

  constructor({ log, services }: { log: Log; services: () => number }) {
    this.#log = log;
    this.#serviceCount = services;
  }

  committed({ report, times, problems, isInitial }: Pick<Commit, 'report' | 'times' | 'problems' | 'isInitial'>): void {
    const { operations, transactions, refused, drift } = report;
    const rounded = { durationMs: roundToTenths(times.ms), latencyMs: roundToTenths(times.latencyMs) };
    for (const reason of drift) {
      this.#log.warn('the kernel held something else than was applied; listed and repaired', { reason });
    }
    for (const { service, reason } of refused) this.#log.error('Service left out', { service, reason });
    if (isInitial) {
      this.#log.info('ruleset complete', { services: this.#serviceCount(), operations, transactions, ...rounded });
    } else if (operations > 0) {
      this.#log.debug('synced', { operations, transactions, ...rounded });
    }
    this.#logProblems(problems);
  }

  chainsModified(chains: readonly string[]): void {
    const some = chains.slice(0, 5).join(', ');
    this.#log.warn('somebody else changed our chains; repairing', { chains: some, count: chains.length });
  }

  #logProblems({ issues, conflicts }: Problems): void {
    const now = new Map<string, () => void>();
    for (const issue of issues) {
      const log = () => this.#log.warn('object cannot be used as it stands', { ...issue });
      now.set(formatIssue(issue), log);
    }
    for (const { frontend, winner, losers } of conflicts) {
      const details = { frontend, winner, losers: losers.join(', ') };
      now.set(JSON.stringify(details), () => this.#log.warn('several Services claim one frontend', details));
    }
    for (const [text, log] of now) if (!this.#logged.has(text)) log();
    this.#logged.clear();
    for (const text of now.keys()) this.#logged.add(text);
  }
}

function roundToTenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
