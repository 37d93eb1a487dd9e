// One line of `conntrack -L`: a flow as its client knows it, and as its answers come back.
import type { Address } from '../net/address.ts';
import type { Family } from '../net/family.ts';

/** Where packets of one direction come from, and where they go. */
export interface Tuple {
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
}

/** A UDP flow that the kernel tracks. Without translation the reply is the original the other way round. */
export interface ConntrackEntry {
  readonly family: Family;
  readonly original: Tuple;
  readonly reply: Tuple;
}

const ENTRY_LINE =
  /^udp\s.*? src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: .*?)? src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)(?: |$)/;

/** Reads a line; `undefined` when it is no UDP flow, or one of another zone than 0, which is none of ours. */
export function parseEntry(line: string, family: Family): ConntrackEntry | undefined {
  const match = ENTRY_LINE.exec(line);
  if (match === null || line.includes(' zone')) return undefined;
  const [, ...values] = match;
  return { family, original: toTuple(values.slice(0, 4)), reply: toTuple(values.slice(4)) };
}

function toTuple([source = '', destination = '', sourcePort, destinationPort]: readonly string[]): Tuple {
  return { source, destination, sourcePort: Number(sourcePort), destinationPort: Number(destinationPort) };
}

/** Whether its server is another one than its client has asked. */
export function isTranslated({ original, reply }: ConntrackEntry): boolean {
  return reply.source !== original.destination || reply.sourcePort !== original.destinationPort;
}

/** An address with a port, as frontends and endpoints are told from others. */
export function addressKey(address: Address, port: number): string {
  return `${address} ${port}`;
}

/** A node port, told from others. */
export function nodePortKey(family: Family, port: number): string {
  return `${family} ${port}`;
}
