// The state of the kernel for inspection commands, read with nft.

import type { Family } from '../net/family.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import type { CounterListing, KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../nftables/syntax/listed-table.ts';

/** A checked client. Throws an `NftUnavailable` error if nft cannot be used. */
export async function openNftClient(command: string): Promise<NftClient> {
  const nftClient = new NftClient({ command });
  await nftClient.check();
  return nftClient;
}

/** A listing with counters as one that an engine can adopt, with the tables without elements. */
export function toListing(counted: CounterListing, tables: readonly ListedTable[]): KernelListing {
  const elements = new Map(
    [...counted].map(([object, listed]) => [object, new Map(listed.map((element) => [element.key, element]))] as const),
  );
  const chains = tables.flatMap(({ family, chains }) => chains.map(({ name }) => ({ family: family as Family, name })));
  return { elements, chains, tables };
}
