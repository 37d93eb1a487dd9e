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

/** A UDP flow or an attempt to open a TCP connection. Without NAT the reply tuple is the reverse of the original. */
export type ConntrackEntry = Flow & Selection;

interface Flow {
  readonly family: Family;
  readonly original: Tuple;
  readonly reply: Tuple;
}

type Selection = { readonly protocol: 'udp' } | { readonly protocol: 'tcp'; readonly state: AttemptState };

/** The states of a TCP connection that was not answered, and of one that was refused or reset. */
export const ATTEMPT_STATES = ['SYN_SENT', 'CLOSE'] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];

const ENTRY_LINE =
  /^(?:udp|tcp +\d+ +\d+ (SYN_SENT|CLOSE)) .*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: .*?)? src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: |$)/;

/** Parses a line; `undefined` if it is another entry, or not of conntrack zone 0, the only zone that nftlane uses. */
export function parseEntry(line: string): ConntrackEntry | undefined {
  const match = ENTRY_LINE.exec(line);
  if (match === null || line.includes(' zone')) return undefined;
  const [, state, ...values] = match;
  const original = toTuple(values.slice(0, 4));
  const family: Family = original.source.includes(':') ? 'ip6' : 'ip';
  const flow = { family, original, reply: toTuple(values.slice(4)) };
  return state === undefined
    ? { ...flow, protocol: 'udp' }
    : { ...flow, protocol: 'tcp', state: state as AttemptState };
}

function toTuple([source = '', destination = '', sourcePort, destinationPort]: readonly string[]): Tuple {
  return { source, destination, sourcePort: Number(sourcePort), destinationPort: Number(destinationPort) };
}

/** Whether the destination is translated (DNAT). */
export function isTranslated({ original, reply }: Flow): boolean {
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
