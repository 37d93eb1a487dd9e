// Assigns cluster IPs to the Services that have none, as an API server would.

import type { Address } from '../../net/address.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import { overlaps, type Prefix } from '../../net/prefix.ts';
import { AddressRange } from './probe-sequence.ts';
import { RangeAssignment } from './range-assignment.ts';

/** What a Service has, and what it lacks. */
interface ServiceAddresses {
  /** The families in which it asks for a cluster IP. */
  readonly requested: readonly Family[];
  /** The addresses that it names itself. */
  readonly named: readonly Address[];
}

interface ClusterIpAssignmentOptions {
  /** At most one of each family. */
  readonly ranges: readonly Prefix[];
  /** The blocks of pods. */
  readonly podCidrs: readonly Prefix[];
}

/** Both families, with the reasons why an address is reserved. */
export class ClusterIpAssignment {
  /** The blocks of pods, as text. */
  readonly podCidrs: string;
  readonly #families: Readonly<Partial<Record<Family, RangeAssignment>>>;
  readonly #ranges: readonly AddressRange[];
  /** The reserved addresses inside of a range, by owner. */
  readonly #reserved = new Map<string, readonly Address[]>();
  readonly #moved = new Set<string>();

  constructor({ ranges, podCidrs }: ClusterIpAssignmentOptions) {
    this.podCidrs = podCidrs.map(({ text }) => text).join();
    this.#ranges = ranges.map((block) => new AddressRange(block));
    const onMove = (key: string): unknown => this.#moved.add(key);
    this.#families = Object.fromEntries(
      this.#ranges.map((range) => {
        const excluded = podCidrs.filter((block) => overlaps(block, range.block));
        return [range.family, new RangeAssignment({ range, excluded, onMove })];
      }),
    );
  }

  /** Adds, replaces or removes (without `addresses`) a Service. */
  setService(key: string, addresses: ServiceAddresses | undefined): void {
    this.reserve(`Service ${key}`, addresses?.named ?? []);
    for (const family of FAMILIES) {
      if (addresses?.requested.includes(family)) this.#families[family]?.add(key);
      else this.#families[family]?.remove(key);
    }
  }

  /** Replaces the addresses that something else than an assignment uses. */
  reserve(owner: string, addresses: readonly Address[]): void {
    const before = this.#reserved.get(owner) ?? [];
    const after = addresses.filter((address) => this.#ranges.some(({ contains }) => contains(address)));
    if (before.length + after.length === 0) return;
    for (const address of after) for (const family of this.#all()) family.reserve(address);
    for (const address of before) for (const family of this.#all()) family.release(address);
    if (after.length === 0) this.#reserved.delete(owner);
    else this.#reserved.set(owner, after);
  }

  /** The assigned cluster IPs of a Service. */
  ipsOf(key: string): Partial<Record<Family, Address>> {
    const ips: Partial<Record<Family, Address>> = {};
    for (const family of FAMILIES) {
      const address = this.#families[family]?.addressOf(key);
      if (address !== undefined) ips[family] = address;
    }
    return ips;
  }

  /** The ranges in which the Service asks for an address and has none. */
  fullRangesOf(key: string): Prefix[] {
    const full = this.#ranges.filter(({ family }) => {
      const assignment = this.#families[family];
      return assignment?.has(key) === true && assignment.addressOf(key) === undefined;
    });
    return full.map(({ block }) => block);
  }

  /** The Services whose cluster IPs changed since the last call. */
  takeMoved(): Set<string> {
    const moved = new Set(this.#moved);
    this.#moved.clear();
    return moved;
  }

  #all(): RangeAssignment[] {
    return Object.values(this.#families);
  }
}
