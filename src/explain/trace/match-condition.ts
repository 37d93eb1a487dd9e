// Whether a packet meets a comparison of a rule of any program.

import { type Address, parseAddress } from '../../net/address.ts';
import { type Host, isHostAddress, outputInterface } from '../../net/host.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import type { Condition } from '../ruleset/listed-rule.ts';
import { masqueradeAddresses, masqueradePorts } from './masqueraded-part.ts';
import type { TracedPacket } from './traced-packet.ts';

/** `maybe`: the values of the packet, or those of the rule, are not known. */
export type Match = 'yes' | 'no' | 'maybe';

/** Where the packet is. */
export interface Place {
  readonly host: Host;
  readonly hook: string;
  /**
   * The destination with which the packet got to the hook. The output interface is that of the route to it for all chains of
   * the hook, also after one of them has translated the destination: the kernel reads the new route afterwards.
   */
  readonly routedTo: Address;
}

export function matchCondition(condition: Condition, packet: TracedPacket, place: Place): Match {
  if (!hasField(condition.field, packet)) return 'no';
  const matches = new Set(possiblePackets(packet, place.host).map((each) => matchValues(condition, each, place)));
  const [match = 'maybe', ...others] = matches;
  return others.length === 0 ? match : 'maybe';
}

/** The packet with each address that masquerading can have chosen. */
function possiblePackets(packet: TracedPacket, host: Host): TracedPacket[] {
  const { masqueradedPart, original } = packet;
  if (masqueradedPart === 'none') return [packet];
  return masqueradeAddresses(host, original.family).map((address) => ({ ...packet, [masqueradedPart]: address }));
}

function matchValues({ field, negate, values }: Condition, packet: TracedPacket, place: Place): Match {
  const matches = values.map((value) => matchValue(field, value, { packet, place }));
  const match = matches.includes('yes') ? 'yes' : matches.includes('maybe') ? 'maybe' : 'no';
  if (!negate || match === 'maybe') return match;
  return match === 'yes' ? 'no' : 'yes';
}

/** A comparison with a field that the packet does not have ends the rule, also if it is negated. */
function hasField(field: string, { original, isTracked }: TracedPacket): boolean {
  const [header = '', name = ''] = field.split(' ');
  const family = /\b(ip6?) (?:saddr|daddr|protocol|nexthdr)$/.exec(field)?.[1];
  if (family !== undefined && family !== original.family) return false;
  if (name === 'sport' || name === 'dport') return header === 'th' || header === original.protocol;
  if (header === 'icmp' || header === 'icmpv6') return false;
  return header !== 'ct' || name === 'state' || isTracked;
}

interface Situation {
  readonly packet: TracedPacket;
  readonly place: Place;
}

function matchValue(field: string, value: string, situation: Situation): Match {
  const { packet, place } = situation;
  const { original } = packet;
  const [header = '', name = ''] = field.split(' ');
  if (field.startsWith('ct original'))
    return field.endsWith('proto-dst')
      ? matchNumber(original.destinationPort, value)
      : matchAddress(field.endsWith('saddr') ? original.source : original.destination, value);
  if (field.includes(' oif')) return matchReversePath(value, situation);
  if (name === 'saddr' || name === 'daddr') {
    if (header === 'fib') return matchFibType(name === 'saddr' ? packet.source : packet.destination, value, place);
    return matchAddress(name === 'saddr' ? packet.source : packet.destination, value);
  }
  if (name === 'sport' || name === 'dport') {
    return matchPort(name, value, packet);
  }
  if (header === 'ct') return matchConntrack(name, value, packet);
  if (/^[io]if/.test(header)) return matchInterface(header, value, situation);
  return matchMeta(field, value, packet);
}

function matchMeta(field: string, value: string, { original, mark }: TracedPacket): Match {
  const protocols = { tcp: ['tcp', '6'], udp: ['udp', '17'], sctp: ['sctp', '132'] }[original.protocol];
  const families = original.family === 'ip' ? ['ipv4', '2', 'ip', '0x0800'] : ['ipv6', '10', 'ip6', '0x86dd'];
  switch (field) {
    case 'meta l4proto':
    case 'ip protocol':
    case 'ip6 nexthdr':
      return toMatch(protocols.includes(value));
    case 'meta nfproto':
    case 'meta protocol':
      return toMatch(families.includes(value));
    default:
      return /^(?:0x)?[0-9a-f]+$/.test(value) ? toMatch(Number(value) === mark >>> 0) : 'maybe';
  }
}

/** A packet that connection tracking has not seen counts as invalid, unless it is exempt. */
function matchConntrack(name: string, value: string, packet: TracedPacket): Match {
  const { state, direction, translated, isTracked, isUntracked } = packet;
  if (name === 'state') return toMatch(value === (isTracked ? state : isUntracked ? 'untracked' : 'invalid'));
  if (name === 'direction') return toMatch(value === direction);
  return value === 'dnat' ? toMatch(translated) : 'maybe';
}

function matchAddress(address: string, value: string): Match {
  const [first = '', last] = value.split('-');
  if (last !== undefined) return 'maybe';
  const prefix = parsePrefix(value);
  if (prefix !== undefined) return toMatch(contains(prefix, address));
  const single = parseAddress(first);
  return single === undefined ? 'maybe' : toMatch(single === address);
}

function matchPort(name: 'sport' | 'dport', value: string, packet: TracedPacket): Match {
  const { sourcePort, port, masqueradedPart, original } = packet;
  const isMasqueraded = masqueradedPart === (name === 'sport' ? 'source' : 'destination');
  if (!isMasqueraded) return matchNumber(name === 'sport' ? sourcePort : port, value);
  const [first, last] = masqueradePorts(original.sourcePort);
  const [low, high] = parseNumbers(value) ?? [];
  if (low === undefined || high === undefined) return 'maybe';
  if (low <= first && last <= high) return 'yes';
  return high < first || last < low ? 'no' : 'maybe';
}

function matchNumber(number: number, value: string): Match {
  const [first, last] = parseNumbers(value) ?? [];
  return first === undefined || last === undefined ? 'maybe' : toMatch(first <= number && number <= last);
}

/** A number, or a range of numbers. */
function parseNumbers(value: string): readonly [number, number] | undefined {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(value) ?? [];
  return first === undefined ? undefined : [Number(first), Number(last)];
}

function matchFibType(address: string, value: string, { host }: Place): Match {
  if (value !== 'local' && value !== 'unicast') return isHostAddress(host, address) ? 'no' : 'maybe';
  return toMatch(isHostAddress(host, address) === (value === 'local'));
}

/** The input interface by name, and the output interface by the route. */
function matchInterface(field: string, pattern: string, { packet, place }: Situation): Match {
  const name = field.startsWith('i') ? packet.inInterface : outputOf(place);
  if (field.startsWith('i') && place.hook === 'output') return 'no';
  if (name === undefined || name === '') return 'maybe';
  return toMatch(pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
}

/** Interfaces of the output are known from the route on. */
function outputOf({ host, hook, routedTo }: Place): string | undefined {
  if (!['forward', 'output', 'postrouting', 'egress'].includes(hook)) return undefined;
  return isHostAddress(host, routedTo) ? 'lo' : outputInterface(host, routedTo);
}

/** Whether the route to the source leaves by the input interface. */
function matchReversePath(value: string, { packet, place }: Situation): Match {
  const { inInterface, source } = packet;
  const route = isHostAddress(place.host, source) ? 'lo' : outputInterface(place.host, source);
  if (inInterface === '' || route === undefined) return 'maybe';
  const exists = route === inInterface;
  if (value === 'exists' || value === '1') return toMatch(exists);
  return value === 'missing' || value === '0' ? toMatch(!exists) : 'maybe';
}

function toMatch(isMatch: boolean): Match {
  return isMatch ? 'yes' : 'no';
}
