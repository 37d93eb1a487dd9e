// Logs syncs, and objects with problems.

import type { Log } from '../host/log.ts';
import { formatIssue } from '../services/objects/validation-issue.ts';
import { type ForeignChanges, printCounts } from './repair/foreign-changes.ts';
import type { RulesetContest } from './repair/repairs.ts';
import type { Commit, Problems, SyncObserver } from './sync-observer.ts';

/** Logs each problem once while it lasts. */
export class SyncLogger implements SyncObserver {
  readonly #log: Log;
  readonly #serviceCount: () => number;
  readonly #logged = new Set<string>();
  #lastProblems: Problems | undefined;

  constructor({ log, services }: { log: Log; services: () => number }) {
    this.#log = log;
    this.#serviceCount = services;
  }

  committed({ report, times, problems, isInitial }: Pick<Commit, 'report' | 'times' | 'problems' | 'isInitial'>): void {
    const { operations, transactions, refused, drift } = report;
    const rounded = { durationMs: roundToTenths(times.durationMs), latencyMs: roundToTenths(times.latencyMs) };
    for (const reason of drift) {
      this.#log.warn('kernel state differed from the applied state; repaired', { reason });
    }
    for (const { service, reason } of refused) this.#log.error('kernel refused Service', { service, reason });
    if (isInitial) {
      this.#log.info('ruleset complete', { services: this.#serviceCount(), operations, transactions, ...rounded });
    } else if (operations > 0) {
      this.#log.debug('synced', { operations, transactions, ...rounded });
    }
    this.#logProblems(problems);
  }

  foreignChanges(changes: ForeignChanges): void {
    const { program, pid, transactions, first } = changes;
    this.#log.warn('another process changed the ruleset; repairing', {
      program,
      pid,
      changes: printCounts(changes),
      transactions,
      first,
    });
  }

  contested(contest: RulesetContest | undefined): void {
    if (contest === undefined) this.#log.info('no other process undoes repairs of the ruleset any more');
    else this.#log.error('another process keeps undoing repairs of the ruleset; repairing less often', { ...contest });
  }

  chainsModified(chains: readonly string[]): void {
    const shownChains = chains.slice(0, 5).join(', ');
    this.#log.warn('another process changed nftlane chains; repairing', { chains: shownChains, count: chains.length });
  }

  #logProblems(problems: Problems): void {
    const { issues, conflicts, limited } = problems;
    const last = this.#lastProblems;
    this.#lastProblems = problems;
    if (last?.issues === issues && last.conflicts === conflicts && last.limited === limited) return;
    const now = new Map<string, () => void>();
    for (const issue of issues) {
      const log = () => this.#log.warn('object has an invalid field', { ...issue });
      now.set(formatIssue(issue), log);
    }
    for (const { frontend, winner, losers } of conflicts) {
      const details = { frontend, winner, losers: losers.join(', ') };
      now.set(JSON.stringify(details), () => this.#log.warn('frontend conflict between Services', details));
    }
    for (const { service, reason, effect } of limited) {
      const details = { service, reason, effect };
      now.set(JSON.stringify(details), () => this.#log.warn('Service exceeds a limit', details));
    }
    for (const [text, log] of now) if (!this.#logged.has(text)) log();
    this.#logged.clear();
    for (const text of now.keys()) this.#logged.add(text);
  }
}

function roundToTenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
