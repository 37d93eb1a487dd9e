// Logs syncs, and objects with problems.

import type { Log } from '../host/log.ts';
import { formatIssue } from '../services/objects/validation-issue.ts';
import { type ForeignChanges, printCounts } from './repair/foreign-changes.ts';
import type { RulesetContest } from './repair/repairs.ts';
import type { Commit, Problems, SyncObserver } from './sync-observer.ts';

/** A problem that lasts, as it is logged when it begins and when it is over. */
interface LastingProblem {
  readonly begin: () => void;
  readonly end: () => void;
}

/** Logs each problem once while it lasts, and when it is over. */
export class SyncLogger implements SyncObserver {
  readonly #log: Log;
  readonly #serviceCount: () => number;
  #lasting: ReadonlyMap<string, LastingProblem> = new Map();
  #failures = 0;
  #lastProblems: Problems | undefined;

  constructor({ log, services }: { log: Log; services: () => number }) {
    this.#log = log;
    this.#serviceCount = services;
  }

  committed({ report, times, problems, isInitial }: Pick<Commit, 'report' | 'times' | 'problems' | 'isInitial'>): void {
    const { operations, transactions, drift } = report;
    const rounded = { durationMs: roundToTenths(times.durationMs), latencyMs: roundToTenths(times.latencyMs) };
    for (const reason of drift) {
      this.#log.warn('kernel state differed from the applied state; repaired', { reason });
    }
    if (this.#failures > 0) this.#log.info('sync succeeded again', { count: this.#failures });
    this.#failures = 0;
    if (isInitial) {
      this.#log.info('ruleset complete', { services: this.#serviceCount(), operations, transactions, ...rounded });
    } else if (operations > 0) {
      this.#log.debug('synced', { operations, transactions, ...rounded });
    }
    this.#logProblems(problems);
  }

  failed(): void {
    this.#failures += 1;
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
    const last = this.#lastProblems;
    this.#lastProblems = problems;
    const isSame = (['issues', 'conflicts', 'limited'] as const).every((kind) => last?.[kind] === problems[kind]);
    if (isSame && last?.refused.length === 0 && problems.refused.length === 0) return;
    const now = this.#lastingProblems(problems);
    for (const [text, problem] of this.#lasting) if (!now.has(text)) problem.end();
    for (const [text, problem] of now) if (!this.#lasting.has(text)) problem.begin();
    this.#lasting = now;
  }

  #lastingProblems({ issues, conflicts, limited, refused }: Problems): Map<string, LastingProblem> {
    const log = this.#log;
    const now = new Map<string, LastingProblem>();
    for (const issue of issues) {
      const { object, field, value } = issue;
      now.set(formatIssue(issue), {
        begin: () => log.warn('object has an invalid field', { ...issue }),
        end: () => log.info('object no longer has this invalid field', { object, field, value }),
      });
    }
    for (const { frontend, winner, losers } of conflicts) {
      const details = { frontend, winner, losers: losers.join(', ') };
      now.set(JSON.stringify(details), {
        begin: () => log.warn('frontend conflict between Services', details),
        end: () => log.info('frontend conflict between Services is over', details),
      });
    }
    for (const { service, reason, effect } of limited) {
      now.set(JSON.stringify({ service, reason, effect }), {
        begin: () => log.warn('Service exceeds a limit', { service, reason, effect }),
        end: () => log.info('Service no longer exceeds this limit', { service, reason }),
      });
    }
    for (const { service, reason } of refused) {
      now.set(JSON.stringify({ refused: service, reason }), {
        begin: () => log.error('kernel refused Service', { service, reason }),
        end: () => log.info('kernel no longer refuses Service', { service }),
      });
    }
    return now;
  }
}

function roundToTenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
