// What becomes of a flow, in a form in which what should happen and what does can be compared.

import type { Address } from '../../net/address.ts';
import { printAddressPort } from '../../net/address-port.ts';

/** `untouched` is left to the host: routed, or delivered, as if there were no proxy. */
export type Outcome = 'forward' | 'refuse' | 'drop' | 'untouched';

/** An endpoint that the flow can be led to. */
export interface Destination {
  readonly address: Address;
  readonly port: number;
  /** The part of flows that get it, from 0 to 1. */
  readonly share: number;
  /** The endpoint sees an address of this node instead of the client's. */
  readonly masquerade: boolean;
}

export interface FlowOutcome {
  readonly outcome: Outcome;
  /** Sorted by address and port; empty unless the flow is forwarded. */
  readonly destinations: readonly Destination[];
}

/** Slots of a consistent choice give shares that are nearly, not exactly, those of the weights. */
const SHARE_TOLERANCE = 0.02;

/** Puts landings in order, one for each endpoint and way of seeing the client. */
export function mergeDestinations(destinations: readonly Destination[]): Destination[] {
  const merged = new Map<string, Destination>();
  for (const destination of destinations) {
    const key = `${destination.address} ${destination.port} ${destination.masquerade}`;
    merged.set(key, { ...destination, share: destination.share + (merged.get(key)?.share ?? 0) });
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, destination]) => destination);
}

/** In what two fates differ, in words; empty when they are the same. `a` and `b` name their tellers. */
export function diffOutcomes(one: FlowOutcome, other: FlowOutcome, { a, b }: { a: string; b: string }): string[] {
  if (one.outcome !== other.outcome) return [`${a}: ${one.outcome}, ${b}: ${other.outcome}`];
  const otherDestinations = new Map(
    other.destinations.map((destination) => [destinationName(destination), destination]),
  );
  const ownNames = new Set(one.destinations.map(destinationName));
  const differences: string[] = [];
  for (const destination of one.destinations) {
    const counterpart = otherDestinations.get(destinationName(destination));
    if (counterpart === undefined) differences.push(`only ${a} leads to ${destinationName(destination)}`);
    else if (Math.abs(counterpart.share - destination.share) > SHARE_TOLERANCE)
      differences.push(
        `share of ${destinationName(destination)} is ${destination.share} for ${a}, ${counterpart.share} for ${b}`,
      );
  }
  for (const name of otherDestinations.keys()) if (!ownNames.has(name)) differences.push(`only ${b} leads to ${name}`);
  return differences;
}

function destinationName({ address, port, masquerade }: Destination): string {
  const endpoint = printAddressPort({ address, port });
  return masquerade ? `${endpoint} (masqueraded)` : endpoint;
}
