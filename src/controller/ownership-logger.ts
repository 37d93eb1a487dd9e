// Logs whether other programs can change our tables.

import type { Log } from '../host/log.ts';
import type { NftClient } from '../nftables/client/nft-client.ts';
import type { SyncObserver } from './sync-observer.ts';

interface OwnershipLoggerOptions {
  readonly nftClient: Pick<NftClient, 'openReason'>;
  readonly log: Log;
}

/** A line for each change. */
export class OwnershipLogger implements SyncObserver {
  readonly #options: OwnershipLoggerOptions;
  #logged: { readonly reason: string | undefined } | undefined;

  constructor(options: OwnershipLoggerOptions) {
    this.#options = options;
  }

  committed(): void {
    const { nftClient, log } = this.#options;
    const reason = nftClient.openReason;
    if (this.#logged !== undefined && this.#logged.reason === reason) return;
    this.#logged = { reason };
    if (reason === undefined) log.info('other programs cannot change our tables');
    else log.info('other programs can change our tables', { reason });
  }
}
