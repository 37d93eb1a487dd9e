// A packet during a trace: its current addresses and mark, and the fields that lookups read.

import { unreachable } from '../../lib/invariant.ts';
import type { Address } from '../../net/address.ts';
import { type Host, isHostAddress, outputInterface } from '../../net/host.ts';
import type { Field } from '../../nftables/syntax/statement.ts';
import type { Packet } from '../flow/packet.ts';
import { type MasqueradedPart, masqueradeAddresses } from './masqueraded-part.ts';

type Translation = Partial<Pick<TracedPacket, 'source' | 'sourcePort' | 'destination' | 'port' | 'masqueradedPart'>>;

/** What the kernel translates in a packet of a flow that it knows, at the hooks where it does so. */
type KnownTranslations = Readonly<Partial<Record<string, Translation>>>;

/** The current packet and the first one of its flow. */
export interface TracedPacket {
  /** The first packet as it was sent. */
  readonly original: Packet;
  readonly state: 'new' | 'established';
  readonly direction: 'original' | 'reply';
  /** A process of this host sends it. */
  readonly isFromHost: boolean;
  /** Connection tracking has seen it. */
  isTracked: boolean;
  /** A rule has exempted it from connection tracking, so that it is never translated. */
  isUntracked: boolean;
  source: Address;
  sourcePort: number;
  destination: Address;
  port: number;
  translated: boolean;
  masqueraded: boolean;
  /** The address and the port that masquerading chose, so that their values here are examples. */
  masqueradedPart: MasqueradedPart;
  mark: number;
  /** The last input interface: loopback for packets that a process sends to its own host. */
  inInterface: string;
  /** Empty for a new flow, which chains translate. */
  readonly knownTranslations: KnownTranslations;
}

export function toTracedPacket(original: Packet): TracedPacket {
  return {
    ...{ original, state: 'new', direction: 'original', isFromHost: original.inInterface === undefined },
    ...{ isTracked: true, isUntracked: false },
    ...{ source: original.source, sourcePort: original.sourcePort },
    ...{ destination: original.destination, port: original.destinationPort },
    ...{ translated: false, masqueraded: false, masqueradedPart: 'none', mark: 0 },
    ...{ inInterface: original.inInterface ?? '', knownTranslations: {} },
  };
}

/**
 * The packets after the first one of a translated flow, in both directions. Filters see them, too: a rule that drops
 * replies, or packets of established flows, breaks the flow as well.
 */
export function laterPackets(first: TracedPacket, host: Host): TracedPacket[] {
  const { original, destination, port, masqueraded } = first;
  const { source: client, sourcePort: clientPort } = original;
  const endpoint = { destination, port };
  const established = { state: 'established', translated: true } as const;
  const onward: TracedPacket = {
    ...toTracedPacket(original),
    ...established,
    masqueraded,
    knownTranslations: {
      ...{ prerouting: endpoint, output: endpoint },
      postrouting: masqueraded ? masqueradedSource(original, host) : {},
    },
  };
  const isFromHost = isHostAddress(host, destination);
  const { source: node } = masqueradedSource(original, host);
  const toClient: Translation = { destination: client, port: clientPort, masqueradedPart: 'none' };
  const fromFrontend: Translation = { source: original.destination, sourcePort: original.destinationPort };
  const reply: TracedPacket = {
    ...{ ...onward, direction: 'reply', isFromHost },
    ...{ source: destination, sourcePort: port },
    ...{ destination: masqueraded ? node : client, port: clientPort },
    masqueradedPart: masqueraded ? 'destination' : 'none',
    inInterface: isFromHost ? '' : (outputInterface(host, destination) ?? ''),
    knownTranslations: {
      ...{ prerouting: toClient, output: toClient },
      ...{ input: fromFrontend, postrouting: fromFrontend },
    },
  };
  return [onward, reply];
}

/** The source that a masqueraded packet leaves with. */
export function masqueradedSource(original: Packet, host: Host): Pick<TracedPacket, 'source' | 'masqueradedPart'> {
  const [source = original.source] = masqueradeAddresses(host, original.family);
  return { source, masqueradedPart: 'source' };
}

/** The value of a field as it appears in keys. `randomValue` is the value of random numbers and hashes. */
function readField(field: Field, packet: TracedPacket, randomValue: number): string {
  const { original } = packet;
  switch (field.field) {
    case 'saddr':
      return packet.source;
    case 'daddr':
      return packet.destination;
    case 'l4proto':
      return original.protocol;
    case 'sport':
      return String(packet.sourcePort);
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
