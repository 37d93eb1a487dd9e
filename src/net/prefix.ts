// Address prefixes (CIDR blocks).

import { type Address, addressBits, addressFromBits, addressGroups, familyOf, parseAddress } from './address.ts';
import { FAMILY_TRAITS, type Family } from './family.ts';

/** `text` is canonical and has no host bits. */
export interface Prefix {
  readonly family: Family;
  readonly text: string;
  readonly length: number;
}

/** Reads `address/length` and clears the host bits; `undefined` for other text. */
export function parsePrefix(text: string): Prefix | undefined {
  const [left = '', right = '', ...rest] = text.split('/');
  const address = parseAddress(left);
  if (address === undefined || rest.length > 0 || !/^\d{1,10}$/.test(right)) return undefined;
  const family = familyOf(address);
  const { bits } = FAMILY_TRAITS[family];
  const length = Number(right);
  if (length > bits) return undefined;
  const size = 1n << BigInt(bits - length);
  const first = (addressBits(address) / size) * size;
  return { family, text: `${addressFromBits(first, family)}/${length}`, length };
}

/** Reads a prefix, or an address as the prefix that contains only this address. */
export function parsePrefixOrAddress(text: string): Prefix | undefined {
  return parsePrefix(text.includes('/') ? text : `${text}/${FAMILY_TRAITS[familyOf(text)].bits}`);
}

/** Whether the prefix contains the address; false for an address of the other family. */
export function contains(prefix: Prefix, address: Address): boolean {
  if (familyOf(address) !== prefix.family) return false;
  const { first, last } = bounds(prefix);
  const bits = addressBits(address);
  return first <= bits && bits <= last;
}

/** Whether an address is in both prefixes. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  if (a.family !== b.family) return false;
  const [one, other] = [bounds(a), bounds(b)];
  return one.first <= other.last && other.first <= one.last;
}

/** {@link contains} for many addresses: about ten times as fast. */
export function prefixMatcher(prefix: Prefix): (address: Address) => boolean {
  const { family, text, length } = prefix;
  const groups = addressGroups(text.slice(0, text.indexOf('/')));
  const whole = Math.floor(length / GROUP_BITS);
  const mask = (0xffff << (GROUP_BITS - (length % GROUP_BITS))) & 0xffff;
  return (address) => {
    if (familyOf(address) !== family) return false;
    const candidate = addressGroups(address);
    for (let index = 0; index < whole; index++) if (candidate[index] !== groups[index]) return false;
    return ((candidate[whole] ?? 0) & mask) === ((groups[whole] ?? 0) & mask);
  };
}

const GROUP_BITS = 16;

/** The prefixes in order, without those that another one contains: nft rejects overlapping intervals. */
export function withoutOverlaps(prefixes: readonly Prefix[]): Prefix[] {
  const ranges = prefixes.map((prefix) => ({ prefix, ...bounds(prefix) }));
  ranges.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.prefix.length - b.prefix.length));
  // Prefixes are nested or disjoint, so only the last one kept of the family can contain the next.
  const lastKept: Partial<Record<Family, bigint>> = {};
  const kept = ranges.filter(({ prefix: { family }, first, last }) => {
    const end = lastKept[family];
    const isDisjoint = end === undefined || end < first;
    if (isDisjoint) lastKept[family] = last;
    return isDisjoint;
  });
  return kept.map((entry) => entry.prefix);
}

/** The first and the last address, as numbers. */
function bounds({ family, text, length }: Prefix): { first: bigint; last: bigint } {
  const first = addressBits(text.slice(0, text.indexOf('/')));
  return { first, last: first + (1n << BigInt(FAMILY_TRAITS[family].bits - length)) - 1n };
}
