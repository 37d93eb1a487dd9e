// Deleted flows that a reply may recreate in the reverse direction.

import type { ConntrackEntry, Tuple } from '../conntrack-entry.ts';

/** Few clients wait longer for a reply. */
export const REPLY_TIMEOUT_MS = 3000;

/** No known server that a Service replaces has more clients. */
export const MAX_REVERSED_FLOWS = 50_000;

/**
 * A flow without NAT has the same addresses in both directions. If its entry is deleted while a reply is in transit, the
 * reply creates a new entry from server to client. Packets of the client then match that entry as replies, and bypass the
 * rules. This class keeps deleted flows while that may happen.
 */
export class ReversedFlows {
  readonly #limit: number;
  /** By the addresses of the flow, oldest first. */
  readonly #expiresAt = new Map<string, number>();

  constructor(limit = MAX_REVERSED_FLOWS) {
    this.#limit = limit;
  }

  /** The number of flows. */
  get size(): number {
    return this.#expiresAt.size;
  }

  /** A flow without NAT is about to be deleted. */
  record({ original }: ConntrackEntry, now: number): void {
    const key = keyOf(original);
    this.#expiresAt.delete(key);
    if (this.#expiresAt.size < this.#limit) this.#expiresAt.set(key, now + REPLY_TIMEOUT_MS);
  }

  /** Whether the entry is the reverse of a deleted flow. */
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

  /** Drops flows whose replies have arrived. */
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
