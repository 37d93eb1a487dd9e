// Assigns the addresses of one range to Services, as a function of the set of Services and reserved addresses alone.

import { compare } from '../../lib/compare.ts';
import type { Address } from '../../net/address.ts';
import { contains, type Prefix } from '../../net/prefix.ts';
import { type AddressRange, ProbeSequence } from './probe-sequence.ts';

/** A Service that asks for an address. */
interface Claimant {
  readonly key: string;
  readonly sequence: ProbeSequence;
  /** The index of its address in the sequence; `undefined` without an address. */
  probe: number | undefined;
}

interface RangeAssignmentOptions {
  readonly range: AddressRange;
  /** Blocks whose addresses are not assigned. */
  readonly excluded: readonly Prefix[];
  /** Receives each Service whose address changed. */
  readonly onMove: (key: string) => void;
}

/** A larger range than this is never full. */
const MAX_PROBES = 65_536;

/**
 * Each Service has the first address of its sequence that is not reserved, and that no Service of higher priority has. There is
 * exactly one such assignment, so the order of arrival does not matter. A change moves the Services that met at an address of the
 * change, and no others: with a hundred Services in a /16, one of 1,300 new ones moves another one.
 */
export class RangeAssignment {
  readonly #options: RangeAssignmentOptions;
  readonly #maxProbes: number;
  readonly #claimants = new Map<string, Claimant>();
  readonly #holders = new Map<Address, Claimant>();
  /** How often each address is reserved. */
  readonly #reserved = new Map<Address, number>();
  /** By address, the Services that prefer it to the one that they have. */
  readonly #passed = new Map<Address, Set<Claimant>>();
  /** The Services without an address, in the order of priority. */
  readonly #unassigned: Claimant[] = [];

  constructor(options: RangeAssignmentOptions) {
    this.#options = options;
    const { range, excluded } = options;
    const isExcluded = excluded.some((block) => block.length <= range.block.length && contains(block, range.at(0n)));
    this.#maxProbes = isExcluded || range.size < 1n ? 0 : Number(range.size < MAX_PROBES ? range.size : MAX_PROBES);
  }

  addressOf(key: string): Address | undefined {
    const claimant = this.#claimants.get(key);
    return claimant && addressOf(claimant);
  }

  /** The Services that ask for an address. */
  has(key: string): boolean {
    return this.#claimants.has(key);
  }

  add(key: string): void {
    if (this.#claimants.has(key)) return;
    const claimant: Claimant = { key, sequence: new ProbeSequence(key, this.#options.range), probe: undefined };
    this.#claimants.set(key, claimant);
    this.#place(claimant, 0);
  }

  remove(key: string): void {
    const claimant = this.#claimants.get(key);
    if (claimant === undefined) return;
    this.#claimants.delete(key);
    const address = addressOf(claimant);
    this.#forgetPassed(claimant, { from: 0, to: claimant.probe ?? 0 });
    if (address === undefined) this.#unassigned.splice(this.#unassigned.indexOf(claimant), 1);
    else this.#vacate(address);
  }

  /** Takes an address from the Services. Addresses outside of the range do not matter. */
  reserve(address: Address): void {
    if (!this.#options.range.contains(address)) return;
    const count = this.#reserved.get(address) ?? 0;
    this.#reserved.set(address, count + 1);
    const holder = count === 0 ? this.#holders.get(address) : undefined;
    if (holder === undefined) return;
    this.#holders.delete(address);
    this.#pass(address, holder);
    this.#place(holder, (holder.probe ?? 0) + 1);
  }

  /** Undoes one {@link reserve}. */
  release(address: Address): void {
    const count = this.#reserved.get(address);
    if (count === undefined) return;
    if (count > 1) this.#reserved.set(address, count - 1);
    else {
      this.#reserved.delete(address);
      this.#fill(address);
    }
  }

  /** Places a Service, and then those that lose their address by this, one after the other. */
  #place(first: Claimant, from: number): void {
    let [claimant, probe]: [Claimant | undefined, number] = [first, from];
    while (claimant !== undefined) {
      claimant = this.#probe(claimant, probe);
      probe = (claimant?.probe ?? 0) + 1;
    }
  }

  /** Returns the Service that loses its address. */
  #probe(claimant: Claimant, from: number): Claimant | undefined {
    const limit = this.#isHopeless(claimant) ? from : this.#maxProbes;
    let probe = from;
    for (; probe < limit; probe++) {
      const address = claimant.sequence.at(probe);
      const holder = this.#holders.get(address);
      if (this.#isTaken(address) || (holder !== undefined && byPriority(holder, claimant) < 0)) {
        this.#pass(address, claimant);
        continue;
      }
      this.#give(claimant, address, probe);
      if (holder !== undefined) this.#pass(address, holder);
      return holder;
    }
    this.#forgetPassed(claimant, { from: 0, to: probe });
    this.#setUnassigned(claimant);
    return undefined;
  }

  #isTaken(address: Address): boolean {
    return this.#reserved.has(address) || this.#options.excluded.some((block) => contains(block, address));
  }

  /** Whether all addresses are in use, and none by a Service that follows this one. Saves to try them all. */
  #isHopeless(claimant: Claimant): boolean {
    const [best] = this.#unassigned;
    if (best === undefined || BigInt(this.#maxProbes) !== this.#options.range.size) return false;
    if (byPriority(best, claimant) < 0) return true;
    for (const holder of this.#holders.values()) if (byPriority(claimant, holder) < 0) return false;
    return true;
  }

  /** Gives a free address to the Service that has the best claim to it, and then the one that becomes free by this. */
  #fill(vacated: Address): void {
    let address: Address | undefined = vacated;
    while (address !== undefined && !this.#isTaken(address)) {
      const best = this.#bestFor(address);
      if (best === undefined) return;
      const before = addressOf(best);
      const probe = this.#indexOf(best, address);
      if (before === undefined) this.#unassigned.splice(this.#unassigned.indexOf(best), 1);
      else this.#holders.delete(before);
      this.#forgetPassed(best, { from: probe, to: best.probe ?? probe });
      for (let earlier = 0; before === undefined && earlier < probe; earlier++)
        this.#pass(best.sequence.at(earlier), best);
      this.#give(best, address, probe);
      address = before;
    }
  }

  #vacate(address: Address): void {
    this.#holders.delete(address);
    this.#fill(address);
  }

  #bestFor(address: Address): Claimant | undefined {
    const passed = [...(this.#passed.get(address) ?? [])];
    const unassigned = this.#unassigned.find((claimant) => this.#indexOf(claimant, address) >= 0);
    return [...passed, ...(unassigned === undefined ? [] : [unassigned])].sort(byPriority)[0];
  }

  /** The index among the addresses that the Service prefers to the one that it has; -1 without one. */
  #indexOf({ sequence, probe = this.#maxProbes }: Claimant, address: Address): number {
    for (let index = 0; index < probe; index++) if (sequence.at(index) === address) return index;
    return -1;
  }

  #give(claimant: Claimant, address: Address, probe: number): void {
    this.#holders.set(address, claimant);
    claimant.probe = probe;
    this.#options.onMove(claimant.key);
  }

  #setUnassigned(claimant: Claimant): void {
    claimant.probe = undefined;
    const position = this.#unassigned.findIndex((other) => byPriority(claimant, other) < 0);
    this.#unassigned.splice(position < 0 ? this.#unassigned.length : position, 0, claimant);
    this.#options.onMove(claimant.key);
  }

  #pass(address: Address, claimant: Claimant): void {
    const passed = this.#passed.get(address) ?? new Set();
    this.#passed.set(address, passed.add(claimant));
  }

  #forgetPassed(claimant: Claimant, { from, to }: { readonly from: number; readonly to: number }): void {
    for (let index = from; index < to; index++) {
      const address = claimant.sequence.at(index);
      const passed = this.#passed.get(address);
      if (passed?.delete(claimant) === true && passed.size === 0) this.#passed.delete(address);
    }
  }
}

function addressOf({ sequence, probe }: Claimant): Address | undefined {
  return probe === undefined ? undefined : sequence.at(probe);
}

function byPriority(a: Claimant, b: Claimant): number {
  return a.sequence.priority - b.sequence.priority || compare(a.key, b.key);
}
