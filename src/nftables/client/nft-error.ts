// Errors of the nft client.

import { EnvironmentError } from '../../lib/operational-error.ts';
import type { NftErrorMessage } from '../syntax/error-message.ts';

/** nft or the kernel refused a transaction. Nothing of it was applied. */
export class NftRefusal extends Error {
  override readonly name = 'NftRefusal';
  readonly messages: readonly NftErrorMessage[];

  constructor(messages: readonly NftErrorMessage[]) {
    const [first] = messages;
    const more = messages.length > 1 ? ` (and ${messages.length - 1} more)` : '';
    super(`Cannot apply the ruleset: ${first?.message ?? 'nft gave no reason'}${more}`);
    this.messages = messages;
  }
}

/** nft died or timed out: it is unknown whether the transaction was applied. */
export class NftOutcomeUnknown extends Error {
  override readonly name = 'NftOutcomeUnknown';
}

/** nft could not list tables or chains. */
export class NftListingFailed extends Error {
  override readonly name = 'NftListingFailed';
}

/** A handler for `catch`: treats a failed listing as an empty one, and rethrows other errors. */
export function emptyIfListingFailed(error: unknown): [] {
  if (error instanceof NftListingFailed) return [];
  throw error;
}

/** nft is missing, too old or lacks privileges. Retrying does not help. */
export class NftUnavailable extends EnvironmentError {
  override readonly name = 'NftUnavailable';
}
