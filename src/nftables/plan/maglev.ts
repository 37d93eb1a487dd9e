// Consistent choice: a table in which a backend that comes or goes moves hardly anybody else's clients.

/**
 * Primes, so that every step visits every slot; the last is the largest below the 65,536 slots that a key can name.
 * They are few, because a set that outgrows its table is dealt out anew.
 */
const TABLE_SIZES = [4093, 32749, 65521] as const;

/** With two hundred slots for each backend, fewer clients move besides those of a backend that leaves than of its own. */
const SLOTS_PER_BACKEND = 200;

/** How many slots the table of this many backends has. */
export function maglevSize(backends: number): number {
  return TABLE_SIZES.find((size) => size >= backends * SLOTS_PER_BACKEND) ?? 65521;
}

/** A backend with its share relative to the others, a whole number of at least 1. */
export interface WeightedBackend {
  readonly name: string;
  readonly weight: number;
}

/**
 * The table of a set of backends: for each slot the name of its backend. It depends on nothing but the set, so that
 * every node has the same one (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4). Backends take turns, in proportion to their weights, each claiming the next free slot in an order of its
 * own. Empty for no backends.
 */
export function maglevTable(backends: readonly WeightedBackend[]): string[] {
  if (backends.length === 0) return [];
  const ordered = [...backends].sort((a, b) => (a.name < b.name ? -1 : 1));
  const size = maglevSize(ordered.length);
  const maxWeight = Math.max(...ordered.map(({ weight }) => weight));
  const permutations = ordered.map(({ name, weight }) => new Permutation(name, { size, pace: weight / maxWeight }));
  const table = new Array<string | undefined>(size).fill(undefined);
  let freeSlots = size;
  for (;;) {
    for (const permutation of permutations) {
      if (!permutation.takesTurn()) continue;
      table[permutation.nextFree(table)] = permutation.name;
      freeSlots--;
      if (freeSlots === 0) return table.map((name) => name ?? '');
    }
  }
}

/** One backend on its way through the slots, in the order of its own permutation. */
class Permutation {
  readonly name: string;
  readonly #size: number;
  readonly #skip: number;
  readonly #relativeWeight: number;
  #slot: number;
  #credit = 0;

  constructor(name: string, { size, pace }: { size: number; pace: number }) {
    this.name = name;
    this.#size = size;
    this.#relativeWeight = pace;
    this.#slot = fnv1a(`offset ${name}`) % size;
    this.#skip = (fnv1a(`skip ${name}`) % (size - 1)) + 1;
  }

  /** Whether it is this one's turn: the heaviest always has it, one of half the weight every second time. */
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

/** FNV-1a over code units, 32 bits, with a finish that spreads short texts over all bits (MurmurHash3's). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
