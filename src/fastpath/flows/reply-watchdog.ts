// Notices backends whose answers do not come by the programs: then their flows never establish.
import type { SlotCount } from '../loader/loader-client.ts';

/** So many connections in a row without one answer are no chance. */
const MIN_UNANSWERED = 32;
/** In milliseconds: how long the first of them has had for its answer. */
const REPLY_TIMEOUT_MS = 5000;

/** Only for TCP: a UDP server need not answer. */
export class ReplyWatchdog {
  /** Where counting began anew: at the last answer, or when the slot was first seen. */
  readonly #baselines = new Map<number, SlotCount & { readonly at: number; readonly gen: number }>();

  /** The slots that have got connections for a while, and answered none. `slots` are those of TCP backends, with their generation. */
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
