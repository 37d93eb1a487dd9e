// The contents of our tables in the kernel, as listed by nft.

import type { ListedTable } from './listed-table.ts';
import type { ListedElement } from './listing.ts';
import type { ObjectRef, RefKey } from './object-ref.ts';

/** A listed element without its key. */
export interface InstalledElement {
  readonly data: string;
  readonly comment: string;
}

/** The elements of our sets and maps, by set or map, then by key. */
export type ElementListing = ReadonlyMap<RefKey, ReadonlyMap<string, InstalledElement>>;

/** The contents of our tables, without counters. */
export interface KernelListing {
  readonly elements: ElementListing;
  readonly chains: readonly ObjectRef[];
  /** The same tables without elements; absent if only elements are known. */
  readonly tables?: readonly ListedTable[];
}

/** The elements of sets and maps with their counters. */
export type CounterListing = ReadonlyMap<RefKey, readonly ListedElement[]>;
