// The order in which a Service tries the addresses of a range, from its name alone.

import { type Address, addressBits, addressFromBits } from '../../net/address.ts';
import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import { type Prefix, prefixMatcher } from '../../net/prefix.ts';

/** A block of cluster IPs, without its first and its last address: those of the network, and of its broadcasts. */
export class AddressRange {
  readonly block: Prefix;
  /** The number of addresses. */
  readonly size: bigint;
  readonly contains: (address: Address) => boolean;
  readonly #first: bigint;

  constructor(block: Prefix) {
    const { family, length, text } = block;
    this.block = block;
    this.size = (1n << BigInt(FAMILY_TRAITS[family].bits - length)) - 2n;
    this.contains = prefixMatcher(block);
    this.#first = addressBits(text.slice(0, text.indexOf('/'))) + 1n;
  }

  get family(): Family {
    return this.block.family;
  }

  at(position: bigint): Address {
    return addressFromBits(this.#first + position, this.family);
  }
}

/** Visits each address of the range once (double hashing), so that Services that meet at one address part at the next. */
export class ProbeSequence {
  /** Distinguishes Services in an order that has nothing to do with their names. */
  readonly priority: number;
  readonly #range: AddressRange;
  readonly #offset: bigint;
  readonly #step: bigint;

  constructor(name: string, range: AddressRange) {
    const { size } = range;
    this.priority = hash(`priority ${name}`);
    this.#range = range;
    this.#offset = wideHash(`offset ${name}`) % size;
    let step = (wideHash(`step ${name}`) % size) + 1n;
    while (commonDivisor(step, size) !== 1n) step++;
    this.#step = step;
  }

  at(index: number): Address {
    return this.#range.at((this.#offset + BigInt(index) * this.#step) % this.#range.size);
  }
}

function commonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : commonDivisor(b, a % b);
}

function wideHash(text: string): bigint {
  return (BigInt(hash(`high ${text}`)) << 32n) | BigInt(hash(`low ${text}`));
}

/** FNV-1a, and then the last step of MurmurHash3, so that names which differ in one character have unrelated hashes. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
