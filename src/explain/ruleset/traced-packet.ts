// A packet on its way: what translation and marks have made of it so far, and what lookups read of it.
import { unreachable } from '../../lib/invariant.ts';
import type { Address } from '../../net/address.ts';
import type { Field } from '../../nftables/syntax/statement.ts';
import type { Packet } from '../flow/packet.ts';

/** The packet as it is now, beside the packet as it was sent. */
export interface TracedPacket {
  readonly original: Packet;
  destination: Address;
  port: number;
  translated: boolean;
  masqueraded: boolean;
  mark: number;
  /** The interface that it came in by last: loopback for what a process sends to its own host. */
  inInterface: string;
}

/** The flow of a packet that nothing has happened to. */
export function toTracedPacket(original: Packet): TracedPacket {
  return {
    original,
    destination: original.destination,
    port: original.destinationPort,
    translated: false,
    masqueraded: false,
    mark: 0,
    inInterface: original.inInterface ?? '',
  };
}

/** A field as it stands in keys; of numbers that are drawn, `drawn` is the one. */
export function readField(field: Field, packet: TracedPacket, randomValue: number): string {
  const { original } = packet;
  switch (field.field) {
    case 'saddr':
      return original.source;
    case 'daddr':
      return packet.destination;
    case 'l4proto':
      return original.protocol;
    case 'sport':
      return String(original.sourcePort);
    case 'dport':
      return String(packet.port);
    case 'original-daddr':
      return original.destination;
    case 'original-dport':
      return String(original.destinationPort);
    case 'random':
    case 'hash':
      return String(randomValue);
    default:
      return unreachable(field);
  }
}

/** How many numbers can be drawn for these fields; 1 where none is. */
export function choiceCount(fields: readonly Field[]): number {
  return fields.reduce((max, field) => ('modulus' in field ? Math.max(max, field.modulus) : max), 1);
}

/** The key that these fields make. */
export function lookupKey(fields: readonly Field[], packet: TracedPacket, randomValue = 0): string {
  return fields.map((field) => readField(field, packet, randomValue)).join(' . ');
}
