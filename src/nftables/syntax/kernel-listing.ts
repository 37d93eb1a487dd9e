// What the kernel holds of our tables, as nft listed it.

import type { ListedElement } from './listing.ts';
import type { ObjectRef, RefKey } from './object-ref.ts';

/** What a listing says about one element besides its key. */
export interface InstalledElement {
  readonly data: string;
  readonly comment: string;
}

/** The elements of our sets and maps, by set or map, then by key. */
export type ElementListing = ReadonlyMap<RefKey, ReadonlyMap<string, InstalledElement>>;

/** Everything in our tables but counters and rules. */
export interface KernelListing {
  readonly elements: ElementListing;
  readonly chains: readonly ObjectRef[];
}

/** The elements of sets and maps with their counters. */
export type CounterListing = ReadonlyMap<RefKey, readonly ListedElement[]>;

/** How many rules a chain has. */
export interface RuleCount {
  readonly chain: ObjectRef;
  readonly rules: number;
}
