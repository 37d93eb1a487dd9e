// Notices backends whose answers do not come by the programs: then their flows never establish.
import type { SlotCount } from '../loader/programs.ts';

/** So many connections in a row without one answer are no chance. */
const SUSPECT = 32;
/** In milliseconds: how long the first of them has had for its answer. */
const PATIENCE_MS = 5000;

/** Only for TCP: a UDP server need not answer. */
export class Watchdog {
  /** Where counting began anew: at the last answer, or when the slot was first seen. */
  readonly #since = new Map<number, SlotCount & { readonly at: number; readonly gen: number }>();

  /** The slots that have got connections for a while, and answered none. `slots` are those of TCP backends, with their generation. */
  suspects(
    slots: ReadonlyMap<number, number>,
    { counts, now }: { readonly counts: ReadonlyMap<number, SlotCount>; readonly now: number },
  ): number[] {
    const found: number[] = [];
    for (const [slot, gen] of slots) {
      const count = counts.get(slot) ?? { created: 0, answered: 0 };
      const since = this.#since.get(slot);
      if (
        since === undefined ||
        since.gen !== gen ||
        count.answered > since.answered ||
        count.created === since.created
      ) {
        this.#since.set(slot, { ...count, at: now, gen });
      } else if (count.created - since.created >= SUSPECT && now - since.at >= PATIENCE_MS) {
        found.push(slot);
      }
    }
    for (const slot of this.#since.keys()) if (!slots.has(slot)) this.#since.delete(slot);
    return found;
  }
}
