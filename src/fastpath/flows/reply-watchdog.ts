// Detects backends whose replies bypass the programs, so that their flows never become established.

import type { SlotCount } from '../loader/loader-client.ts';

/** This many connections in a row without a reply are not a coincidence. */
const MIN_UNANSWERED = 32;
/** How long the first of them must have waited. */
const REPLY_TIMEOUT_MS = 5000;

/** For TCP only: a UDP server need not reply. */
export class ReplyWatchdog {
  /** Counts of each slot at its last reply, or when the slot was first seen. */
  readonly #baselines = new Map<number, SlotCount & { readonly at: number; readonly gen: number }>();

  /** Slots whose connections got no replies. `slots` maps the slots of TCP backends to their generations. */
  findUnanswered(
    slots: ReadonlyMap<number, number>,
    { counts, now }: { readonly counts: ReadonlyMap<number, SlotCount>; readonly now: number },
  ): number[] {
    const found: number[] = [];
    for (const [slot, gen] of slots) {
      const count = counts.get(slot) ?? { created: 0, answered: 0 };
      const baseline = this.#baselines.get(slot);
      if (
        baseline === undefined ||
        baseline.gen !== gen ||
        count.answered > baseline.answered ||
        count.created === baseline.created
      ) {
        this.#baselines.set(slot, { ...count, at: now, gen });
      } else if (count.created - baseline.created >= MIN_UNANSWERED && now - baseline.at >= REPLY_TIMEOUT_MS) {
        found.push(slot);
      }
    }
    for (const slot of this.#baselines.keys()) if (!slots.has(slot)) this.#baselines.delete(slot);
    return found;
  }
}
