// Reports the changes of other processes, at a bounded rate and without losing any.

import { combine, type ForeignChanges } from './foreign-changes.ts';

const WINDOW_MS = 10_000;
const REPORTS_PER_WINDOW = 5;

/** Times are milliseconds on one clock. */
export class ChangeReports {
  readonly #onReport: (changes: ForeignChanges) => void;
  #unreported: ForeignChanges | undefined;
  #windowStart = Number.NEGATIVE_INFINITY;
  #reports = 0;

  /** `onReport` gets everything since the last report: at most {@link REPORTS_PER_WINDOW} times in {@link WINDOW_MS}. */
  constructor(onReport: (changes: ForeignChanges) => void) {
    this.#onReport = onReport;
  }

  add(changes: ForeignChanges): void {
    this.#unreported = combine(this.#unreported, changes);
  }

  /** Reports what was added, or leaves it for a later call if there were too many reports. */
  report(now: number): void {
    if (now - this.#windowStart >= WINDOW_MS) {
      this.#windowStart = now;
      this.#reports = 0;
    }
    if (this.#unreported === undefined || this.#reports >= REPORTS_PER_WINDOW) return;
    this.#reports++;
    const changes = this.#unreported;
    this.#unreported = undefined;
    this.#onReport(changes);
  }
}
