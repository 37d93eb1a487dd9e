// How long repairs wait when another process keeps undoing them.

import { backoffMs } from '../../lib/backoff.ts';

/** A change of the same object this soon after a repair undoes it: the next repair would not last longer. */
const UNDONE_WITHIN_MS = 5000;
/** Repairs of an object that are undone before the first one waits. */
const FREE_REPAIRS = 10;
const MIN_WAIT_MS = 200;
/** The longest wait: with a reload of a second at 100,000 elements, a contest costs a tenth of a core. */
const MAX_WAIT_MS = 10_000;
/** A change that follows a repair within this time belongs to the same contest; without one, the contest is over. */
const QUIET_MS = 30_000;

/** Repairs of an object that were undone in a row. */
interface ObjectContest {
  changedAt: number;
  /** Soon after the repair. */
  fast: number;
  /** Before the contest was over. */
  slow: number;
}

/** Counts the repairs of each object that were undone. Times are milliseconds on one clock. */
export class RepairBackoff {
  readonly #contests = new Map<string, ObjectContest>();
  #repairedAt = Number.NEGATIVE_INFINITY;
  /** A change is not repaired yet: further ones cost no further repair. */
  #isPending = false;

  /** Another process changed these objects. Returns how long the repair has to wait, from now on; 0 if one is pending. */
  changed(now: number, objects: Iterable<string>): number {
    if (this.#isPending) return 0;
    this.#isPending = true;
    for (const [object, { changedAt }] of this.#contests) {
      if (now - Math.max(changedAt, this.#repairedAt) >= QUIET_MS) this.#contests.delete(object);
    }
    const sinceRepair = now - this.#repairedAt;
    for (const object of objects) {
      const contest = this.#contests.get(object);
      const fast = contest !== undefined && sinceRepair < UNDONE_WITHIN_MS ? contest.fast + 1 : 0;
      this.#contests.set(object, { changedAt: now, fast, slow: contest === undefined ? 0 : contest.slow + 1 });
    }
    return this.waitMs(now);
  }

  /** A repair begins: changes from now on may undo it. */
  repairing(now: number): void {
    this.#isPending = false;
    this.#repairedAt = now;
  }

  /** The repair is complete. */
  repaired(now: number): void {
    if (!this.#isPending) this.#repairedAt = now;
  }

  /** How long repairs wait at present. */
  waitMs(now: number): number {
    const waits = this.#max(now, ({ fast }) => fast) - FREE_REPAIRS;
    return waits <= 0 ? 0 : backoffMs(waits - 1, { minMs: MIN_WAIT_MS, maxMs: MAX_WAIT_MS });
  }

  /** How many repairs of the same object were undone in a row. */
  undone(now: number): number {
    return this.#max(now, ({ slow }) => slow);
  }

  /** Whether another process undoes the repairs again and again, fast or slowly. */
  isContested(now: number): boolean {
    return this.undone(now) > FREE_REPAIRS;
  }

  #max(now: number, value: (contest: ObjectContest) => number): number {
    let max = 0;
    for (const contest of this.#contests.values()) {
      const isOver = !this.#isPending && now - Math.max(contest.changedAt, this.#repairedAt) >= QUIET_MS;
      if (!isOver) max = Math.max(max, value(contest));
    }
    return max;
  }
}
