// Flows that an answer opens anew, the other way round, after they were removed.
import type { Entry, Tuple } from './entry.ts';

/** A client that still waits for an answer after this is rare. */
export const ANSWERED_WITHIN_MS = 3000;

/** A server with so many clients is not known to take the place of a Service. */
const DEFAULT_LIMIT = 50_000;

/**
 * A flow that is not translated has the same addresses in both directions. When it is removed while an answer is on its
 * way, that answer is the first packet of a flow from the server to the client. What the client sends is taken for the
 * answer to that, and never asks the rules. Remembers removed flows for as long as that may happen.
 */
export class TurnedFlows {
  readonly #limit: number;
  /** Until when, by the addresses of the flow. The oldest come first. */
  readonly #until = new Map<string, number>();

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** How many flows are remembered. */
  get size(): number {
    return this.#until.size;
  }

  /** This flow, which is not translated, is about to be removed. */
  note({ original }: Entry, now: number): void {
    const key = keyOf(original);
    this.#until.delete(key);
    if (this.#until.size < this.#limit) this.#until.set(key, now + ANSWERED_WITHIN_MS);
  }

  /** Whether it is one of them, the other way round. */
  has({ original: { source, sourcePort, destination, destinationPort } }: Pick<Entry, 'original'>): boolean {
    if (this.#until.size === 0) return false;
    const key = keyOf({
      source: destination,
      sourcePort: destinationPort,
      destination: source,
      destinationPort: sourcePort,
    });
    return this.#until.has(key);
  }

  /** Forgets those whose answers have all arrived. */
  forget(now: number): void {
    for (const [key, until] of this.#until) {
      if (until > now) return;
      this.#until.delete(key);
    }
  }
}

function keyOf({ source, sourcePort, destination, destinationPort }: Tuple): string {
  return `${source} ${sourcePort} ${destination} ${destinationPort}`;
}
