// Flows that an answer opens anew, the other way round, after they were removed.
import type { ConntrackEntry, Tuple } from './conntrack-entry.ts';

/** A client that still waits for an answer after this is rare. */
export const REPLY_TIMEOUT_MS = 3000;

/** A server with so many clients is not known to take the place of a Service. */
const DEFAULT_LIMIT = 50_000;

/**
 * A flow that is not translated has the same addresses in both directions. When it is removed while an answer is on its
 * way, that answer is the first packet of a flow from the server to the client. What the client sends is taken for the
 * answer to that, and never asks the rules. Remembers removed flows for as long as that may happen.
 */
export class ReversedFlows {
  readonly #limit: number;
  /** Until when, by the addresses of the flow. The oldest come first. */
  readonly #expiresAt = new Map<string, number>();

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** How many flows are remembered. */
  get size(): number {
    return this.#expiresAt.size;
  }

  /** This flow, which is not translated, is about to be removed. */
  record({ original }: ConntrackEntry, now: number): void {
    const key = keyOf(original);
    this.#expiresAt.delete(key);
    if (this.#expiresAt.size < this.#limit) this.#expiresAt.set(key, now + REPLY_TIMEOUT_MS);
  }

  /** Whether it is one of them, the other way round. */
  has({ original: { source, sourcePort, destination, destinationPort } }: Pick<ConntrackEntry, 'original'>): boolean {
    if (this.#expiresAt.size === 0) return false;
    const key = keyOf({
      source: destination,
      sourcePort: destinationPort,
      destination: source,
      destinationPort: sourcePort,
    });
    return this.#expiresAt.has(key);
  }

  /** Forgets those whose answers have all arrived. */
  prune(now: number): void {
    for (const [key, until] of this.#expiresAt) {
      if (until > now) return;
      this.#expiresAt.delete(key);
    }
  }
}

function keyOf({ source, sourcePort, destination, destinationPort }: Tuple): string {
  return `${source} ${sourcePort} ${destination} ${destinationPort}`;
}
