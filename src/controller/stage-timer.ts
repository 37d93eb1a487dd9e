// Times the stages of a sync.

import type { Clock } from '../host/clock.ts';

/** In order. */
export const SYNC_STAGES = ['list', 'compile', 'plan', 'apply', 'affinity', 'cleanup'] as const;
type SyncStage = (typeof SYNC_STAGES)[number];

/** Milliseconds of each stage; 0 if it was not needed. */
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
