// What the kernel was found to hold, and what it has refused.
import type { ElementListing } from '../nftables/plan/ledger.ts';

/** What the kernel was found to hold. */
export interface KernelListing {
  readonly elements: ElementListing;
  /** Chains of our tables, as `family name`. */
  readonly chains: readonly string[];
}

/** A Service that the kernel refused, and what it said. It is tried again when it, or its endpoints, change. */
export interface Refusal {
  readonly service: string;
  readonly reason: string;
}
