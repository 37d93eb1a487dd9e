// Decides when the changes of other processes are repaired.

import type { Engine } from '../../engine/engine.ts';
import type { Clock } from '../../host/clock.ts';
import type { RulesetCommit } from '../../nftables/syntax/notification.ts';
import { ChangeReports } from './change-reports.ts';
import { type ForeignChanges, summarize } from './foreign-changes.ts';
import { RepairBackoff } from './repair-backoff.ts';

/** Another process undoes the repairs again and again. */
export interface RulesetContest {
  /** The name of the process that made the last change. */
  readonly program: string;
  readonly pid: number;
  /** How many repairs it has undone. */
  readonly repairs: number;
  /** How long a repair waits. */
  readonly waitMs: number;
}

interface RepairsOptions {
  readonly engine: Pick<Engine, 'foreignChanges' | 'invalidate' | 'retryRefused'>;
  /** Finds what notifications do not report. */
  readonly tableCheck: { hasten(): void };
  readonly clock: Pick<Clock, 'now'>;
  /** Requests a sync. */
  readonly request: () => void;
  /** Every transaction. */
  readonly onCommit: (changes: ForeignChanges) => void;
  /** A report with everything since the last one, at the rate of {@link ChangeReports}. */
  readonly onReport: (changes: ForeignChanges) => void;
  /** A contest began, continued with a longer wait, or ended (`undefined`). */
  readonly onContest: (contest: RulesetContest | undefined) => void;
}

/** Notifications that are kept until they are recorded; above it, the kernel is listed instead. */
const MAX_NOTIFICATIONS = 50_000;
/** What may have been added under a name of ours, in another form. */
const ADDED_KINDS: ReadonlySet<string> = new Set(['chain', 'set', 'other']);
/** How long a change of an object waits in a contest, in units of the last repair: with it, a contest costs a tenth of a core. */
const CHANGE_WAIT_FACTOR = 9;
const MIN_CHANGE_WAIT_MS = 200;

/** Changes are recorded when a sync begins, so that none is confused with the changes of a running sync. */
export class Repairs {
  readonly #options: RepairsOptions;
  readonly #backoff = new RepairBackoff();
  readonly #reports: ChangeReports;
  #commits: RulesetCommit[] = [];
  #notifications = 0;
  #timer: NodeJS.Timeout | undefined;
  #noticed = 0;
  #isRepairing = false;
  /** More than elements changed: a check follows the repair. */
  #needsCheck = false;
  /** Something was added that may prevent the repair. */
  #checksFirst = false;
  #isReported = false;
  #heldUntil = Number.NEGATIVE_INFINITY;
  /** The last repair. */
  #repair = { beganAt: 0, endedAt: 0 };
  #changeTimer: NodeJS.Timeout | undefined;
  #last: Pick<ForeignChanges, 'program' | 'pid'> = { program: '', pid: 0 };
  #reportedWaitMs = -1;

  constructor(options: RepairsOptions) {
    this.#options = options;
    this.#reports = new ChangeReports(options.onReport);
  }

  /** Takes a transaction of another process, and requests the sync that repairs it. */
  observe(commit: RulesetCommit): void {
    const { clock, onCommit } = this.#options;
    const now = clock.now();
    this.#noticed++;
    this.#notifications += commit.notifications.length;
    if (this.#notifications > MAX_NOTIFICATIONS) this.#commits = [];
    else this.#commits.push(commit);
    const changes = summarize(commit);
    this.#last = changes;
    onCommit(changes);
    this.#reports.add(changes);
    this.#reports.report(now);
    this.#hold(now, changes.objects);
  }

  /** Notifications are missing: the next sync lists the kernel. In a contest it waits as a repair does. */
  observeLoss(): void {
    const now = this.#options.clock.now();
    this.#commits = [];
    this.#notifications = MAX_NOTIFICATIONS + 1;
    this.#hold(now, ['notifications']);
  }

  /**
   * Whether the tables can be checked before the sync. Not while it repairs what was deleted: the check would find the same
   * again, and have everything listed.
   */
  get canCheck(): boolean {
    return !this.#isRepairing || this.#checksFirst;
  }

  /** Whether the running sync repairs changes that were noticed before it began. */
  get isRepairing(): boolean {
    return this.#isRepairing;
  }

  /** How many transactions of other processes were noticed. */
  get noticed(): number {
    return this.#noticed;
  }

  /**
   * A sync is about to begin. Returns whether it may; otherwise another is requested later. A contest must not keep the
   * changes of objects from the kernel: one that has changes waits only in proportion to the last repair.
   */
  begin({ hasChanges = false }: { readonly hasChanges?: boolean } = {}): boolean {
    const now = this.#options.clock.now();
    this.#reports.report(now);
    this.#updateContest();
    const waitMs = this.#waitMs(now, { hasChanges });
    if (waitMs > 0) {
      if (hasChanges) this.#requestIn(waitMs);
      return false;
    }
    clearTimeout(this.#changeTimer);
    this.#changeTimer = undefined;
    if (this.#notifications > 0) this.#record(now);
    return true;
  }

  /** A sync has ended: what was recorded when it began is repaired. A check follows it if more than elements changed. */
  committed(): void {
    this.#isReported = this.#needsCheck;
    this.#checksFirst = false;
    if (!this.#isRepairing) return;
    this.#isRepairing = false;
    const now = this.#options.clock.now();
    this.#repair.endedAt = now;
    this.#backoff.repaired(now);
    if (!this.#needsCheck) return;
    this.#needsCheck = false;
    this.#options.tableCheck.hasten();
    this.#options.request();
  }

  /** A sync has failed. The kernel is listed next, which finds also what cannot be repaired step by step. */
  failed(): void {
    if (!this.#isRepairing) return;
    this.#isRepairing = false;
    this.#repair.endedAt = this.#options.clock.now();
    this.#isReported = true;
    // A set of another type makes the kernel refuse the elements of a Service.
    this.#options.engine.retryRefused();
    this.#options.tableCheck.hasten();
  }

  /** Whether what the next check finds belongs to changes that were reported. */
  get isReported(): boolean {
    return this.#isReported;
  }

  #record(now: number): void {
    const { engine } = this.#options;
    if (this.#notifications > MAX_NOTIFICATIONS) {
      engine.invalidate();
      this.#needsCheck = true;
    }
    for (const commit of this.#commits) {
      engine.foreignChanges.observe(commit);
      this.#needsCheck ||= commit.notifications.some(({ kind }) => kind !== 'element');
      this.#checksFirst ||= commit.notifications.some(({ kind, verb }) => verb === 'add' && ADDED_KINDS.has(kind));
    }
    if (this.#checksFirst) this.#options.tableCheck.hasten();
    this.#commits = [];
    this.#notifications = 0;
    this.#isRepairing = true;
    this.#isReported = true;
    this.#repair = { beganAt: now, endedAt: now };
    this.#backoff.repairing(now);
  }

  /** How long a sync still has to wait. */
  #waitMs(now: number, { hasChanges }: { readonly hasChanges: boolean }): number {
    const repairWaitMs = this.#heldUntil - now;
    if (!hasChanges || repairWaitMs <= 0) return repairWaitMs;
    const { beganAt, endedAt } = this.#repair;
    const changeWaitMs = Math.max(MIN_CHANGE_WAIT_MS, CHANGE_WAIT_FACTOR * (endedAt - beganAt));
    return Math.min(repairWaitMs, endedAt + changeWaitMs - now);
  }

  #requestIn(waitMs: number): void {
    clearTimeout(this.#changeTimer);
    this.#changeTimer = setTimeout(this.#options.request, waitMs).unref();
  }

  get contest(): RulesetContest | undefined {
    const now = this.#options.clock.now();
    if (!this.#backoff.isContested(now)) return undefined;
    const { program, pid } = this.#last;
    return { program, pid, repairs: this.#backoff.undone(now), waitMs: this.#backoff.waitMs(now) };
  }

  /** Requests the repair of these objects, after the wait of a contest. */
  #hold(now: number, objects: Iterable<string>): void {
    const waitMs = this.#backoff.changed(now, objects);
    if (waitMs > 0) this.#heldUntil = now + waitMs;
    this.#updateContest();
    clearTimeout(this.#timer);
    if (now >= this.#heldUntil) this.#options.request();
    else this.#timer = setTimeout(this.#options.request, this.#heldUntil - now).unref();
  }

  #updateContest(): void {
    const { contest } = this;
    if (contest === undefined && this.#reportedWaitMs < 0) return;
    if (contest !== undefined && contest.waitMs <= this.#reportedWaitMs) return;
    this.#reportedWaitMs = contest?.waitMs ?? -1;
    this.#options.onContest(contest);
  }
}
