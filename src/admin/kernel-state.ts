// Where inspection commands get the actual state from: nft.
import { NftClient } from '../nftables/client/nft-client.ts';
import type { CounterListing, KernelListing } from '../nftables/syntax/kernel-listing.ts';

/** A client that can be used. Throws an `NftUnavailable` error otherwise. */
export async function openNftClient(command: string): Promise<NftClient> {
  const nftClient = new NftClient({ command });
  await nftClient.check();
  return nftClient;
}

/** A counted listing as the engine adopts it. Chains do not matter where nothing is written. */
export function toListing(counted: CounterListing): KernelListing {
  const elements = new Map(
    [...counted].map(([object, listed]) => [object, new Map(listed.map((element) => [element.key, element]))] as const),
  );
  return { elements, chains: [] };
}
