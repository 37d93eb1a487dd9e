// Reports objects that are not current: in the log, again after growing intervals, and once to an observer.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { describeSourceProblem, type SourceProblem, type SourceStatus } from './source-status.ts';

export interface StalenessObserver {
  /** Objects have not been current for a minute. */
  sourceStale(problem: SourceProblem): void;
  /** They are current again; `problem` has the whole duration. */
  sourceRecovered(problem: SourceProblem): void;
}

interface StalenessReporterOptions {
  readonly status: () => SourceStatus;
  readonly observer: StalenessObserver;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: Log;
}

const CHECK_MS = 5_000;
/** Restarts of an API server are shorter, and every retry is logged anyway. */
const THRESHOLD_MS = 60_000;
/** Intervals between warnings double from one minute to this. */
const MAX_INTERVAL_MS = 3_600_000;

/** What has been reported of a problem. */
interface Report {
  problem: SourceProblem;
  /** The duration after which it is reported again. */
  nextMs: number;
}

export class StalenessReporter {
  readonly #options: StalenessReporterOptions;
  readonly #reports = new Map<string, Report>();

  constructor(options: StalenessReporterOptions) {
    this.#options = options;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.check();
      await this.#options.clock.sleep(CHECK_MS, signal);
    }
  }

  check(): void {
    const { name, problems } = this.#options.status();
    // The guard reports what it keeps itself.
    const own = problems.filter(({ cause }) => cause !== 'kept');
    const found = new Map(own.map((problem) => [`${problem.cause} ${problem.subject}`, problem]));
    for (const [key, problem] of found) this.#report(key, { problem, source: name });
    for (const [key, { problem }] of this.#reports)
      if (!found.has(key)) this.#recovered(key, { problem, source: name });
  }

  #report(key: string, { problem, source }: { readonly problem: SourceProblem; readonly source: string }): void {
    const { log, observer } = this.#options;
    const report = this.#reports.get(key);
    if (report !== undefined) report.problem = problem;
    if (problem.forMs < (report?.nextMs ?? THRESHOLD_MS)) return;
    const interval = Math.min(Math.max(problem.forMs, THRESHOLD_MS), MAX_INTERVAL_MS);
    this.#reports.set(key, { problem, nextMs: problem.forMs + interval });
    const fields = { source, reason: describeSourceProblem(problem), durationMs: problem.forMs };
    log.warn('objects are not current; the kernel keeps the last known state', fields);
    if (report === undefined) observer.sourceStale(problem);
  }

  #recovered(key: string, { problem, source }: { readonly problem: SourceProblem; readonly source: string }): void {
    const { log, observer } = this.#options;
    this.#reports.delete(key);
    const fields = { source, reason: describeSourceProblem(problem), durationMs: problem.forMs };
    log.info('objects are current again', fields);
    observer.sourceRecovered(problem);
  }
}
