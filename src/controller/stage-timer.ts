// How long the stages of a sync take.
import type { Clock } from '../host/clock.ts';

/** In the order in which they come. */
export const SYNC_STAGES = ['list', 'compile', 'plan', 'apply', 'affinity', 'cleanup'] as const;
export type SyncStage = (typeof SYNC_STAGES)[number];

/** Milliseconds of each stage; 0 for one that there was no need of. */
export type StageTimes = Readonly<Record<SyncStage, number>>;

/** Adds the time since the last lap to a stage. */
export class StageTimer {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #times = { list: 0, compile: 0, plan: 0, apply: 0, affinity: 0, cleanup: 0 };
  #at: number;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    this.#at = clock.now();
  }

  get times(): StageTimes {
    return this.#times;
  }

  lap(stage: SyncStage): void {
    const now = this.#clock.now();
    this.#times[stage] += now - this.#at;
    this.#at = now;
  }
}
