// How a transaction fails.
import { EnvironmentError } from '../../lib/operational-error.ts';
import type { NftErrorMessage } from '../syntax/error-message.ts';

/** nft, or the kernel, refused a transaction: nothing of it was applied. */
export class NftRefusal extends Error {
  override readonly name = 'NftRefusal';
  readonly messages: readonly NftErrorMessage[];

  constructor(complaints: readonly NftErrorMessage[]) {
    const [first] = complaints;
    const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : '';
    super(`Cannot apply the ruleset: ${first?.message ?? 'nft gave no reason'}${more}`);
    this.messages = complaints;
  }
}

/** A transaction's outcome is not known: nft died, or did not answer. */
export class NftOutcomeUnknown extends Error {
  override readonly name = 'NftOutcomeUnknown';
}

/** nft could not list what was asked for. */
export class NftListingFailed extends Error {
  override readonly name = 'NftListingFailed';
}

/** For `catch`: a listing that failed counts as empty. Throws any other error. */
export function emptyIfListingFailed(error: unknown): [] {
  if (error instanceof NftListingFailed) return [];
  throw error;
}

/** This machine cannot run us: no nft, one that is too old, or no right to use it. Trying again does not help. */
export class NftUnavailable extends EnvironmentError {
  override readonly name = 'NftUnavailable';
}
