// The outcome of a flow, in a form that allows the expected and the actual one to be compared.

import type { Address } from '../../net/address.ts';
import { printAddressPort } from '../../net/address-port.ts';

/** `untouched`: the host routes or delivers the flow as if there were no proxy. */
export type Outcome = 'forward' | 'refuse' | 'drop' | 'untouched';

/** An endpoint that the flow can be forwarded to. */
export interface Destination {
  readonly address: Address;
  readonly port: number;
  /** The fraction of such flows that it receives, from 0 to 1. */
  readonly share: number;
  /** The endpoint sees an address of this node instead of the client's. */
  readonly masquerade: boolean;
}

export interface FlowOutcome {
  readonly outcome: Outcome;
  /** Sorted by address and port; empty unless the flow is forwarded. */
  readonly destinations: readonly Destination[];
}

/** With consistent hashing, shares match the weights only approximately. */
const SHARE_TOLERANCE = 0.02;

/** Sorts destinations and adds up the shares of those with the same endpoint and masquerading. */
export function mergeDestinations(destinations: readonly Destination[]): Destination[] {
  const merged = new Map<string, Destination>();
  for (const destination of destinations) {
    const key = `${destination.address} ${destination.port} ${destination.masquerade}`;
    merged.set(key, { ...destination, share: destination.share + (merged.get(key)?.share ?? 0) });
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, destination]) => destination);
}

/** Describes how two outcomes differ; empty when they agree. `names` are those of the two in the text. */
export function diffOutcomes(a: FlowOutcome, b: FlowOutcome, names: { a: string; b: string }): string[] {
  if (a.outcome !== b.outcome) return [`${names.a}: ${a.outcome}, ${names.b}: ${b.outcome}`];
  const destinationsOfB = new Map(b.destinations.map((destination) => [destinationName(destination), destination]));
  const destinationNamesOfA = new Set(a.destinations.map(destinationName));
  const differences: string[] = [];
  for (const destination of a.destinations) {
    const counterpart = destinationsOfB.get(destinationName(destination));
    if (counterpart === undefined) differences.push(`only ${names.a}: ${destinationName(destination)}`);
    else if (Math.abs(counterpart.share - destination.share) > SHARE_TOLERANCE)
      differences.push(
        `share of ${destinationName(destination)}: ${names.a} ${destination.share}, ${names.b} ${counterpart.share}`,
      );
  }
  for (const name of destinationsOfB.keys())
    if (!destinationNamesOfA.has(name)) differences.push(`only ${names.b}: ${name}`);
  return differences;
}

function destinationName({ address, port, masquerade }: Destination): string {
  const endpoint = printAddressPort({ address, port });
  return masquerade ? `${endpoint} (masqueraded)` : endpoint;
}
