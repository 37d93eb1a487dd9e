// What others may want to know of the daemon's work: health, metrics, events and the conntrack clean-up listen here.
import type { Refusal } from '../engine/engine.ts';
import type { FrontendConflict } from '../nftables/plan/frontend-claims.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import type { SyncReport } from './sync.ts';

/** How long a sync took, in milliseconds. */
export interface SyncTimes {
  /** When it began, on the daemon's clock. */
  readonly startedAt: number;
  /** From its beginning to the commit. */
  readonly ms: number;
  /** From the oldest event that it brought in to the commit; from its beginning when there was none. */
  readonly latencyMs: number;
  /** Some event led to it. Without one it was a look at the kernel, as there is one every ten seconds. */
  readonly hadEvents: boolean;
}

/** A sync that did not succeed. */
export interface FailedAttempt {
  readonly startedAt: number;
  readonly ms: number;
  /** What the kernel held was not known when it began. */
  readonly full: boolean;
}

/** What is wrong now with what users want: the whole of it, each time. */
export interface Problems {
  readonly issues: readonly ValidationIssue[];
  readonly conflicts: readonly FrontendConflict[];
  readonly refused: readonly Refusal[];
}

/**
 * Each is called in the daemon's own turn, must return at once, except `applying`, and must not throw. Times are those of
 * the daemon's clock.
 */
export interface SyncObserver {
  /** Services and EndpointSlices are all known: what has arrived so far can go into the kernel. Once. */
  listed?(at: number): void;
  /** Something changed that is not in the kernel yet; `at` is when. Only for the first change after a sync began. */
  queued?(at: number): void;
  /** A sync begins: what was queued up to now is part of it, and of a later one only when it fails. */
  syncStarted?(): void;
  /** It is compiled, and is applied when this resolves. Each time that a sync tries. */
  beforeApply?(): Promise<void>;
  /** A sync succeeded: everything that had arrived when it began is in the kernel. */
  synced?(report: SyncReport, times: SyncTimes): void;
  /** The initial load is in the kernel. Once. */
  initialLoadCompleted?(): void;
  /** A sync failed, and is tried again. */
  syncFailed?(error: unknown, attempt: FailedAttempt): void;
  /** Somebody else has changed our chains; they are being repaired. */
  chainsModified?(chains: readonly string[]): void;
  /** After each sync: what is wrong now. */
  problemsUpdated?(troubles: Problems): void;
}
