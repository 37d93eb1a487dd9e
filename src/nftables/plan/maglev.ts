// Consistent hashing: a lookup table that changes little when a backend is added or removed.

import { STEP_SIZE, type Steps } from '../../lib/steps.ts';

/**
 * Primes, so that every step size visits every slot; the last is the largest below 65,536, the number of slots that a
 * key can have. There are few because backends that outgrow their table are redistributed completely.
 */
const TABLE_SIZES = [4093, 32749, 65521] as const;

/** With 200 slots per backend, removing a backend moves fewer clients of the others than of its own. */
const SLOTS_PER_BACKEND = 200;

/** The number of slots in the table of this many backends. */
export function maglevSize(backends: number): number {
  return TABLE_SIZES.find((size) => size >= backends * SLOTS_PER_BACKEND) ?? 65521;
}

/** The weight is an integer of at least 1, relative to those of the other backends. */
export interface WeightedBackend {
  readonly name: string;
  readonly weight: number;
}

/**
 * The backend name of each slot; empty without backends. The table depends on the set of backends only, so all nodes
 * have the same one (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section
 * 3.4). Backends take turns in proportion to their weights, and each claims the next free slot of its permutation.
 */
export function* maglevTable(backends: readonly WeightedBackend[]): Steps<string[]> {
  if (backends.length === 0) return [];
  const ordered = [...backends].sort((a, b) => (a.name < b.name ? -1 : 1));
  const size = maglevSize(ordered.length);
  const maxWeight = Math.max(...ordered.map(({ weight }) => weight));
  const permutations = ordered.map(
    ({ name, weight }) => new Permutation(name, { size, relativeWeight: weight / maxWeight }),
  );
  const table = new Array<string | undefined>(size).fill(undefined);
  let freeSlots = size;
  for (;;) {
    for (const permutation of permutations) {
      if (!permutation.takesTurn()) continue;
      table[permutation.nextFree(table)] = permutation.name;
      freeSlots--;
      if (freeSlots === 0) return table.map((name) => name ?? '');
      if (freeSlots % STEP_SIZE === 0) yield;
    }
  }
}

/** A backend and its position in its own permutation of the slots. */
class Permutation {
  readonly name: string;
  readonly #size: number;
  readonly #skip: number;
  readonly #relativeWeight: number;
  #slot: number;
  #credit = 0;

  constructor(name: string, { size, relativeWeight }: { size: number; relativeWeight: number }) {
    this.name = name;
    this.#size = size;
    this.#relativeWeight = relativeWeight;
    this.#slot = fnv1a(`offset ${name}`) % size;
    this.#skip = (fnv1a(`skip ${name}`) % (size - 1)) + 1;
  }

  /** Whether the backend takes a slot in this round: the heaviest in each, one of half its weight in each second. */
  takesTurn(): boolean {
    this.#credit += this.#relativeWeight;
    if (this.#credit < 1 - 1e-9) return false;
    this.#credit -= 1;
    return true;
  }

  nextFree(table: readonly (string | undefined)[]): number {
    while (table[this.#slot] !== undefined) this.#slot = (this.#slot + this.#skip) % this.#size;
    return this.#slot;
  }
}

/** 32-bit FNV-1a over UTF-16 code units, with MurmurHash3's finalizer, which spreads short strings over all bits. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
