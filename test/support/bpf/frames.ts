// Frames as bytes, with lengths and checksums.

import { isIPv6 } from 'node:net';
import { addressBytes } from '../../../src/fastpath/maps/layout.ts';

export const TCP = 6;
export const UDP = 17;
export const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];

export interface EthernetAddresses {
  readonly from: string;
  readonly to: string;
}

export interface Segment {
  readonly protocol: 'tcp' | 'udp';
  readonly sport: number;
  readonly dport: number;
  readonly flags?: number;
  readonly data?: Uint8Array;
  /** UDP over IPv4 without a checksum. */
  readonly noChecksum?: boolean;
}

export interface Ip {
  readonly src: string;
  readonly dst: string;
  readonly ttl?: number;
  /** The offset in bytes, and whether more fragments follow. */
  readonly fragment?: { readonly offset: number; readonly more: boolean };
  /** IPv4: "don't fragment". */
  readonly dontFragment?: boolean;
  /** IPv4: options, padded to a multiple of four bytes. */
  readonly options?: Uint8Array;
}

const ID = 0x4321;

/** An Ethernet frame of an IP packet. */
export function frame(ethernet: EthernetAddresses, ip: Ip, payload: Payload): Uint8Array {
  return concat(mac(ethernet.to), mac(ethernet.from), u16(isIp6(ip) ? 0x86dd : 0x0800), packet(ip, payload));
}

/** The part after the IP header. Its bytes depend on the addresses, by the checksum. */
export interface Payload {
  readonly number: number;
  readonly bytes: (ip: Ip) => Uint8Array;
}

export function packet(ip: Ip, { number, bytes }: Payload): Uint8Array {
  return isIp6(ip) ? packet6(ip, number, bytes(ip)) : packet4(ip, number, bytes(ip));
}

export function segment(s: Segment): Payload {
  const number = s.protocol === 'tcp' ? TCP : UDP;
  return { number, bytes: (ip) => (s.protocol === 'tcp' ? tcp(s, ip) : udp(s, ip)) };
}

/** A fragment: bytes `from` to `to` of another payload. */
export function slicePayload({ number, bytes }: Payload, from: number, to?: number): Payload {
  return { number, bytes: (ip) => bytes(ip).subarray(from, to) };
}

export interface IcmpError {
  readonly type: number;
  readonly code: number;
  readonly restOfHeader?: number;
  /** The packet, or its first bytes. */
  readonly quoted: Uint8Array;
}

export function icmpError({ type, code, restOfHeader = 0, quoted }: IcmpError): Payload {
  const body = concat([type, code, 0, 0], u32(restOfHeader), quoted);
  return {
    number: quoted[0] === undefined || quoted[0] >> 4 === 4 ? 1 : 58,
    bytes: (ip) => {
      const bytes = Uint8Array.from(body);
      const start = isIp6(ip) ? pseudoHeader(ip, 58, bytes.length) : new Uint8Array();
      bytes.set(checksum(concat(start, bytes)), 2);
      return bytes;
    },
  };
}

/** A quoted packet after translation, which keeps the checksum of the segment. */
export function withSegmentChecksum(quoted: Uint8Array, from: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(quoted);
  const header = quoted[0] !== undefined && quoted[0] >> 4 === 4 ? 20 : 40;
  const at = header + (quoted[header === 20 ? 9 : 6] === TCP ? 16 : 6);
  copy.set(from.subarray(at, at + 2), at);
  return copy;
}

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function isIp6({ src }: Ip): boolean {
  return isIPv6(src);
}

function tcp({ sport, dport, flags = ACK, data = new Uint8Array() }: Segment, ip: Ip): Uint8Array {
  const bytes = concat(u16(sport), u16(dport), u32(1000), u32(2000), [5 << 4, flags], u16(8192), [0, 0, 0, 0], data);
  bytes.set(checksum(concat(pseudoHeader(ip, TCP, bytes.length), bytes)), 16);
  return bytes;
}

function udp({ sport, dport, data = new Uint8Array(), noChecksum = false }: Segment, ip: Ip): Uint8Array {
  const bytes = concat(u16(sport), u16(dport), u16(8 + data.length), [0, 0], data);
  if (noChecksum) return bytes;
  const sum = checksum(concat(pseudoHeader(ip, UDP, bytes.length), bytes));
  bytes.set(sum[0] === 0 && sum[1] === 0 ? [255, 255] : sum, 6);
  return bytes;
}

function packet4(ip: Ip, protocol: number, payload: Uint8Array): Uint8Array {
  const { src, dst, ttl = 64, fragment, dontFragment = false, options = new Uint8Array() } = ip;
  const length = 20 + options.length + payload.length;
  const { offset, more } = fragment ?? { offset: 0, more: false };
  const flags = (dontFragment ? 0x4000 : 0) | (more ? 0x2000 : 0) | (offset / 8);
  const header = concat(
    [0x40 | (5 + options.length / 4), 0],
    u16(length),
    u16(ID),
    u16(flags),
    [ttl, protocol, 0, 0],
    addressBytes(src),
    addressBytes(dst),
    options,
  );
  header.set(checksum(header), 10);
  return concat(header, payload);
}

function packet6(ip: Ip, protocol: number, payload: Uint8Array): Uint8Array {
  const { src, dst, ttl = 64, fragment } = ip;
  const extension =
    fragment === undefined
      ? new Uint8Array()
      : concat([protocol, 0], u16(fragment.offset | (fragment.more ? 1 : 0)), u32(ID));
  return concat(
    [0x60, 0, 0, 0],
    u16(extension.length + payload.length),
    [fragment === undefined ? protocol : 44, ttl],
    addressBytes(src),
    addressBytes(dst),
    extension,
    payload,
  );
}

function pseudoHeader(ip: Ip, protocol: number, length: number): Uint8Array {
  return concat(addressBytes(ip.src), addressBytes(ip.dst), u32(length), u32(protocol));
}

/** The Internet checksum (RFC 1071). */
function checksum(bytes: Uint8Array): [number, number] {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return [(~sum >> 8) & 255, ~sum & 255];
}

export function mac(text: string): Uint8Array {
  return Uint8Array.from(text.split(':').map((byte) => Number.parseInt(byte, 16)));
}

/** Bytes 0, 1, 2 and so on. */
export function sequence(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i);
}

function u16(number: number): number[] {
  return [(number >> 8) & 255, number & 255];
}

function u32(number: number): number[] {
  return [...u16(number >>> 16), ...u16(number)];
}
