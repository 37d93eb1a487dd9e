// The observers of the sync controller: health, metrics, Events, the conntrack cleanup and the fast path.

import type { Refusal, ServiceChange } from '../engine/service-change.ts';
import type { LimitedService } from '../engine/service-limits.ts';
import type { FrontendConflict } from '../nftables/plan/frontend-claims.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import type { ForeignChanges } from './repair/foreign-changes.ts';
import type { RulesetContest } from './repair/repairs.ts';
import type { PlannedSync, SyncReport } from './sync.ts';

/** How long a sync took, in milliseconds. */
export interface SyncTimes {
  /** When it began. */
  readonly startedAt: number;
  /** From its beginning to the commit. */
  readonly durationMs: number;
  /** From the oldest event of the sync to the commit; from its beginning when there was no event. */
  readonly latencyMs: number;
  /** Whether an event triggered it. Without one it is the check of the kernel that runs every ten seconds. */
  readonly hadEvents: boolean;
}

/** A sync that failed. */
export interface FailedAttempt extends Pick<SyncTimes, 'startedAt' | 'durationMs'> {
  /** The state of the kernel was unknown when it began. */
  readonly full: boolean;
}

/** The current problems of Services and other objects. A list that did not change since the last commit is the same object. */
export interface Problems {
  readonly issues: readonly ValidationIssue[];
  readonly conflicts: readonly FrontendConflict[];
  readonly refused: readonly Refusal[];
  /** Services that exceed a limit. */
  readonly limited: readonly LimitedService[];
}

/** A successful sync: the kernel has everything that had arrived when it began. */
export interface Commit {
  /** When, in milliseconds on the controller's clock. */
  readonly at: number;
  /** Every Service that was compiled since the last commit, with its model. */
  readonly services: readonly ServiceChange[];
  readonly report: SyncReport;
  readonly times: SyncTimes;
  readonly problems: Problems;
  /** Whether it is the first one, with the initial load. */
  readonly isInitial: boolean;
  /** Whether it restored what others had changed, or may have: flows that began meanwhile were not translated. */
  readonly isRepair: boolean;
}

/**
 * The life of a sync:
 *
 *     queued  ->  syncStarted  ->  beforeApply  ->  committed
 *                                  (each attempt)   failed, and again from syncStarted
 *
 * `committed` is the only source of the state of the kernel. It carries the models that were compiled, because the objects
 * in the store may be newer than the kernel by then. An observer that follows the kernel therefore keeps the last value
 * from `committed` and nothing else.
 *
 * Between `beforeApply` and `committed` the kernel may hold the old or the new state of a Service. Only an observer that
 * judges packets or flows in that time needs `beforeApply`: the conntrack cleanup must not delete flows that either state
 * allows. The list has everything compiled since the last commit, so a retry repeats it.
 *
 * All observers are listed in src/daemon; their order does not matter. The calls are synchronous, except `beforeApply`. An
 * error is logged and does not affect the others; one of `beforeApply` fails the sync. Times are milliseconds on the
 * controller's clock.
 */
export interface SyncObserver {
  /** Services and EndpointSlices are complete, but the first sync is held back: nothing waits for it. Again each second. */
  startHeld?(): void;
  /** Services and EndpointSlices are complete: syncs can start. Once. */
  listed?(at: number): void;
  /** A change arrived at `at`. Only for the first change after a sync began. */
  queued?(at: number): void;
  /** A sync began: it includes everything queued so far. */
  syncStarted?(): void;
  /** The changes are compiled, and are applied when all observers have resolved. */
  beforeApply?(services: readonly ServiceChange[], planned: PlannedSync): Promise<void>;
  committed?(commit: Commit): void;
  /** A sync failed and will be retried. The kernel may have a part of it. */
  failed?(error: unknown, attempt: FailedAttempt): void;
  /** Another process changed our tables in one transaction; the next sync repairs it. */
  foreignCommit?(changes: ForeignChanges): void;
  /** Other processes changed our tables. Bounded in number: later ones cover all transactions since the last one. */
  foreignChanges?(changes: ForeignChanges): void;
  /** Another process undoes the repairs again and again, so they wait; `undefined` when it has stopped. */
  contested?(contest: RulesetContest | undefined): void;
  /** A check found chains of ours changed; the next sync repairs them. */
  chainsModified?(chains: readonly string[]): void;
}
