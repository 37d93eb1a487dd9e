// A packet during a trace: its current addresses and mark, and the fields that lookups read.

import { unreachable } from '../../lib/invariant.ts';
import type { Address } from '../../net/address.ts';
import type { Field } from '../../nftables/syntax/statement.ts';
import type { Packet } from '../flow/packet.ts';

/** The current packet and the original one. */
export interface TracedPacket {
  readonly original: Packet;
  destination: Address;
  port: number;
  translated: boolean;
  masqueraded: boolean;
  mark: number;
  /** The last input interface: loopback for packets that a process sends to its own host. */
  inInterface: string;
}

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

/** The value of a field as it appears in keys. `randomValue` is the value of random numbers and hashes. */
function readField(field: Field, packet: TracedPacket, randomValue: number): string {
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

/** The number of values that these fields can have by chance; 1 without a random number or hash. */
export function choiceCount(fields: readonly Field[]): number {
  return fields.reduce((max, field) => ('modulus' in field ? Math.max(max, field.modulus) : max), 1);
}

/** The key formed by these fields. */
export function lookupKey(fields: readonly Field[], packet: TracedPacket, randomValue = 0): string {
  return fields.map((field) => readField(field, packet, randomValue)).join(' . ');
}
