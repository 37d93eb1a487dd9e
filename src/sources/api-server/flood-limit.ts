// Ends watches that send many events without content.

import { EventFloodError } from './client/api-error.ts';

/** Bookmarks arrive about once a minute. The limit leaves room for all that a server might think useful. */
const MAX_EVENTS = 1_000;
const WINDOW_MS = 10_000;

/** Counts bookmarks, repeated versions and events of other kinds. */
export class FloodLimit {
  #windowStart = Number.NEGATIVE_INFINITY;
  #events = 0;

  /** Throws {@link EventFloodError} for more than 1,000 events in 10 s. */
  count(now: number): void {
    if (now - this.#windowStart >= WINDOW_MS) {
      this.#windowStart = now;
      this.#events = 0;
    }
    if (++this.#events <= MAX_EVENTS) return;
    this.#windowStart = Number.NEGATIVE_INFINITY;
    throw new EventFloodError(`more than ${MAX_EVENTS} events without content in ${WINDOW_MS / 1000} s`);
  }
}
