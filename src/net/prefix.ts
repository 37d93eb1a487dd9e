// Address prefixes (CIDR blocks).
import { type Address, addressBits, addressFromBits, familyOf, parseAddress } from './address.ts';
import { FAMILY_TRAITS, type Family } from './family.ts';

/** A CIDR block: `first` and `last` are its bounds as numbers, `text` its canonical form. */
export interface Prefix {
  readonly family: Family;
  readonly text: string;
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads `address/length`, as leniently as addresses are read; host bits are cleared; `undefined` when it is no prefix. */
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
  return { family, text: `${addressFromBits(first, family)}/${length}`, length, first, last: first + size - 1n };
}

/** Whether the address lies in the block; false for an address of the other family. */
export function contains(prefix: Prefix, address: Address): boolean {
  if (familyOf(address) !== prefix.family) return false;
  const bits = addressBits(address);
  return prefix.first <= bits && bits <= prefix.last;
}

/** The same addresses with blocks inside other blocks left out, in order: nft refuses overlapping intervals. */
export function withoutOverlaps(prefixes: readonly Prefix[]): Prefix[] {
  const ordered = [...prefixes].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.length - b.length));
  const kept: Prefix[] = [];
  for (const prefix of ordered) {
    const last = kept.at(-1);
    if (last === undefined || prefix.first > last.last) kept.push(prefix);
  }
  return kept;
}
