// IP addresses: parsed as leniently as in Kubernetes, printed in one canonical form.

import type { Family } from './family.ts';

/** Canonical text of an IP address: dotted decimal, or RFC 5952 as inet_ntop(3) prints it. The result of {@link parseAddress}. */
export type Address = string & { readonly brand?: 'address' };

/**
 * The canonical form of an IPv4 or IPv6 address; `undefined` for other text.
 * IPv4 octets with leading zeros are decimal, as in Kubernetes. An IPv4-mapped IPv6 address becomes an IPv4 address.
 */
export function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIp6(text) : parseIp4(text);
}

/** The family of a canonical address. */
export function familyOf(address: Address): Family {
  return address.includes(':') ? 'ip6' : 'ip';
}

/** Whether the address is in 127.0.0.0/8 or is ::1. */
export function isLoopback(address: Address): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** The IPv6 link-local block, fe80::/10. */
export function isLinkLocal(address: Address): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}

/** The address as an unsigned number of 32 or 128 bits. */
export function addressBits(address: Address): bigint {
  if (familyOf(address) === 'ip') {
    return address.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
  }
  const groups = parseGroups(address) ?? [];
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

/** The address as groups of 16 bits: two of IPv4, eight of IPv6. */
export function addressGroups(address: Address): readonly number[] {
  if (familyOf(address) === 'ip6') return parseGroups(address) ?? [];
  let [high, octet, low] = [0, 0, 0];
  for (let index = 0, dots = 0; index < address.length; index++) {
    const code = address.charCodeAt(index);
    if (code !== DOT) {
      octet = octet * 10 + code - ZERO;
      continue;
    }
    if (dots++ < 2) high = (high << 8) | octet;
    else low = octet;
    octet = 0;
  }
  return [high, (low << 8) | octet];
}

const [DOT, ZERO] = [0x2e, 0x30];

/** The inverse of {@link addressBits}. */
export function addressFromBits(bits: bigint, family: Family): Address {
  if (family === 'ip') return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join('.');
  const shifts = [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n];
  return printGroups(shifts.map((shift) => Number((bits >> shift) & 0xffffn)));
}

const OCTETS = /^(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})$/;
const CANONICAL_IP4 =
  /^(?:25[0-5]|2[0-4]\d|1?\d?\d)\.(?:25[0-5]|2[0-4]\d|1?\d?\d)\.(?:25[0-5]|2[0-4]\d|1?\d?\d)\.(?:25[0-5]|2[0-4]\d|1?\d?\d)$/;
const LEADING_ZERO = /(?:^|\.)0\d/;

function parseIp4(text: string): Address | undefined {
  if (CANONICAL_IP4.test(text) && !LEADING_ZERO.test(text)) return text;
  const match = OCTETS.exec(text);
  if (match === null) return undefined;
  const octets = match.slice(1).map(Number);
  return octets.every((octet) => octet <= 255) ? octets.join('.') : undefined;
}

function parseIp6(text: string): Address | undefined {
  const groups = parseGroups(text);
  if (groups === undefined) return undefined;
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (!mapped) return printGroups(groups);
  return printLastGroups(groups);
}

/** The last 32 bits as an IPv4 address. */
function printLastGroups(groups: readonly number[]): Address {
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight 16-bit groups of an IPv6 address. A dotted decimal tail is two groups. */
function parseGroups(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => readGroups(half, { isLast: index === halves.length - 1 }));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** Only the end of the address may be dotted decimal. */
function readGroups(half: string, { isLast }: { isLast: boolean }): number[] | undefined {
  if (half === '') return [];
  const groups: number[] = [];
  const parts = half.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const tail = isLast && index === parts.length - 1 ? parseIp4(part) : undefined;
      if (tail === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
      groups.push((a << 8) | b, (c << 8) | d);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/**
 * RFC 5952: lower case, no leading zeros, `::` for the longest run of two or more zero groups, the first of equals. The last
 * two groups are dotted decimal after six zero groups, as in the output of nft, conntrack and ip, which use inet_ntop(3).
 */
function printGroups(groups: readonly number[]): Address {
  let [start, length] = [-1, 1];
  for (let from = 0; from < groups.length; from++) {
    let run = 0;
    while (groups[from + run] === 0) run++;
    if (run > length) [start, length] = [from, run];
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(':');
  if (start === 0 && length === 6) return `::${printLastGroups(groups)}`;
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}
