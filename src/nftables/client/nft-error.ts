// How a transaction fails.
import type { NftComplaint } from '../syntax/complaint.ts';

/** nft, or the kernel, refused a transaction: nothing of it was applied. */
export class NftRefusal extends Error {
  override readonly name = 'NftRefusal';
  readonly complaints: readonly NftComplaint[];

  constructor(complaints: readonly NftComplaint[]) {
    const [first] = complaints;
    const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : '';
    super(`Cannot apply the ruleset: ${first?.message ?? 'nft gave no reason'}${more}`);
    this.complaints = complaints;
  }
}

/** A transaction's outcome is not known: nft died, or did not answer. */
export class NftLost extends Error {
  override readonly name = 'NftLost';
}

/** This machine cannot run us: no nft, one that is too old, or no right to use it. Trying again does not help. */
export class NftUnusable extends Error {
  override readonly name = 'NftUnusable';
}
