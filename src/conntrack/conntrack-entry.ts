// One line of `conntrack -L`: the original and the reply tuple of a flow.

import type { Address } from '../net/address.ts';
import type { Family } from '../net/family.ts';

/** Source and destination of the packets of one direction. */
export interface Tuple {
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
}

/** A UDP or TCP conntrack entry. Without NAT the reply tuple is the reverse of the original. */
export interface ConntrackEntry {
  readonly family: Family;
  readonly original: Tuple;
  readonly reply: Tuple;
}

const ENTRY_LINE =
  /^(?:udp|tcp)\s.*? src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: .*?)? src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: |$)/;

/** Parses a line; `undefined` if it is not a UDP or TCP flow of conntrack zone 0, the only zone that nftlane uses. */
export function parseEntry(line: string, family: Family): ConntrackEntry | undefined {
  const match = ENTRY_LINE.exec(line);
  if (match === null || line.includes(' zone')) return undefined;
  const [, ...values] = match;
  return { family, original: toTuple(values.slice(0, 4)), reply: toTuple(values.slice(4)) };
}

function toTuple([source = '', destination = '', sourcePort, destinationPort]: readonly string[]): Tuple {
  return { source, destination, sourcePort: Number(sourcePort), destinationPort: Number(destinationPort) };
}

/** Whether the destination is translated (DNAT). */
export function isTranslated({ original, reply }: ConntrackEntry): boolean {
  return reply.source !== original.destination || reply.sourcePort !== original.destinationPort;
}

/** The key of a frontend or an endpoint. */
export function addressKey(address: Address, port: number): string {
  return `${address} ${port}`;
}

/** The key of a node port. */
export function nodePortKey(family: Family, port: number): string {
  return `${family} ${port}`;
}
