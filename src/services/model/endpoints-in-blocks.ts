// Finds endpoints inside given blocks of addresses, as slices change.

import type { Address } from '../../net/address.ts';
import { type Prefix, prefixMatcher } from '../../net/prefix.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';

interface Block {
  readonly text: string;
  readonly matches: (address: string) => boolean;
  /** The slices with endpoints in the block. */
  readonly slices: Set<string>;
}

/** Remembers only slices with endpoints in a block. There are few blocks, and usually no such slices. */
export class EndpointsInBlocks {
  #blocks: readonly Block[] = [];

  /** Replaces the blocks, and searches all slices. */
  setBlocks(prefixes: readonly Prefix[], slices: Iterable<EndpointSlice>): void {
    const byText = new Map(prefixes.map((prefix) => [prefix.text, prefix]));
    this.#blocks = [...byText].map(([text, prefix]) => ({ text, matches: prefixMatcher(prefix), slices: new Set() }));
    if (this.#blocks.length > 0) for (const slice of slices) this.put(slice);
  }

  /** Adds or replaces a slice. Returns whether a block got its first slice, or lost its last one. */
  put({ key, endpoints }: EndpointSlice): boolean {
    let hasChanged = false;
    for (const block of this.#blocks) {
      if (!endpoints.some(({ address }) => block.matches(address))) {
        hasChanged = remove(block, key) || hasChanged;
        continue;
      }
      hasChanged = block.slices.size === 0 || hasChanged;
      block.slices.add(key);
    }
    return hasChanged;
  }

  /** Removes a slice. Returns whether a block lost its last one. */
  delete(key: string): boolean {
    return this.#blocks.filter((block) => remove(block, key)).length > 0;
  }

  /** Whether the address is in a block without endpoints. */
  isFree(address: Address): boolean {
    return this.#blocks.some(({ slices, matches }) => slices.size === 0 && matches(address));
  }

  /** The key of a slice with an endpoint in the block; `undefined` if there is none. */
  exampleIn({ text }: Prefix): string | undefined {
    const [first] = this.#blocks.find((block) => block.text === text)?.slices ?? [];
    return first;
  }
}

function remove({ slices }: Block, key: string): boolean {
  return slices.delete(key) && slices.size === 0;
}
