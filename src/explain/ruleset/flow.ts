// A packet on its way: what translation and marks have made of it so far, and what lookups read of it.
import { unreachable } from '../../lib/invariant.ts';
import type { Address } from '../../net/address.ts';
import type { Field } from '../../nftables/syntax/statement.ts';
import type { Packet } from '../flow/packet.ts';

/** The packet as it is now, beside the packet as it was sent. */
export interface Flow {
  readonly sent: Packet;
  destination: Address;
  port: number;
  translated: boolean;
  masqueraded: boolean;
  mark: number;
  /** The interface that it came in by last: loopback for what a process sends to its own host. */
  inInterface: string;
}

/** The flow of a packet that nothing has happened to. */
export function startFlow(sent: Packet): Flow {
  return {
    sent,
    destination: sent.destination,
    port: sent.destinationPort,
    translated: false,
    masqueraded: false,
    mark: 0,
    inInterface: sent.inInterface ?? '',
  };
}

/** A field as it stands in keys; of numbers that are drawn, `drawn` is the one. */
export function readField(field: Field, flow: Flow, drawn: number): string {
  const { sent } = flow;
  switch (field.field) {
    case 'saddr':
      return sent.source;
    case 'daddr':
      return flow.destination;
    case 'l4proto':
      return sent.protocol;
    case 'sport':
      return String(sent.sourcePort);
    case 'dport':
      return String(flow.port);
    case 'dialled-addr':
      return sent.destination;
    case 'dialled-port':
      return String(sent.destinationPort);
    case 'random':
    case 'hash':
      return String(drawn);
    default:
      return unreachable(field);
  }
}

/** How many numbers can be drawn for these fields; 1 where none is. */
export function drawsOf(fields: readonly Field[]): number {
  return fields.reduce((most, field) => ('modulus' in field ? Math.max(most, field.modulus) : most), 1);
}

/** The key that these fields make. */
export function readKey(fields: readonly Field[], flow: Flow, drawn = 0): string {
  return fields.map((field) => readField(field, flow, drawn)).join(' . ');
}
