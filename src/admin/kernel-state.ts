// The state of the kernel for inspection commands, read with nft.

import { NftClient } from '../nftables/client/nft-client.ts';
import type { CounterListing, KernelListing } from '../nftables/syntax/kernel-listing.ts';

/** A checked client. Throws an `NftUnavailable` error if nft cannot be used. */
export async function openNftClient(command: string): Promise<NftClient> {
  const nftClient = new NftClient({ command });
  await nftClient.check();
  return nftClient;
}

/** A listing with counters as one that an engine can adopt. It has no chains, which only matter for writing. */
export function toListing(counted: CounterListing): KernelListing {
  const elements = new Map(
    [...counted].map(([object, listed]) => [object, new Map(listed.map((element) => [element.key, element]))] as const),
  );
  return { elements, chains: [] };
}
