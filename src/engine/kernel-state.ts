// Tracks desired and installed elements and chains, and plans the transactions from one to the other.

import type { Family } from '../net/family.ts';
import type { NodeView } from '../nftables/compile/node-view.ts';
import { allSetsAndMaps, roleOf } from '../nftables/compile/sets-and-maps.ts';
import { type Change, Ledger, slotsIn } from '../nftables/plan/ledger.ts';
import type { Element, SetOrMap } from '../nftables/syntax/element.ts';
import type { ElementListing, KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ObjectRef } from '../nftables/syntax/object-ref.ts';
import { ChainState, type StaleChains } from './chains/chain-state.ts';
import { type DesiredChains, desiredChains } from './chains/desired-chains.ts';
import { additionsInBatches, declareTables, inStages, type Transaction } from './transaction.ts';

/**
 * The state of the kernel is unknown at the start, after a failed transaction and after a change by another program,
 * until a listing is adopted.
 */
export class KernelState {
  readonly #ledger = new Ledger(allSetsAndMaps());
  readonly #chains = new ChainState();
  #isKnown = false;
  #wasEmpty = false;
  #isDeclared = false;
  /** The elements found at the start, until {@link releaseSlots}. */
  #previousListing: ElementListing | undefined;

  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Whether the last listing had no elements. */
  get wasEmpty(): boolean {
    return this.#wasEmpty;
  }

  /** Takes a listing as the state of the kernel. */
  adopt({ elements, chains }: KernelListing): void {
    if (this.#ledger.isEmpty) this.#previousListing = elements;
    this.#wasEmpty = elements.size === 0;
    this.#ledger.rebase(elements);
    this.#chains.rebase(chains);
    this.#isKnown = true;
    this.#isDeclared = false;
  }

  /** Marks the state of the kernel as unknown. */
  invalidate(): void {
    this.#isKnown = false;
  }

  /** Replaces the desired elements of an owner. */
  setElements(owner: string, elements: readonly Element[]): void {
    this.#ledger.setElements(owner, elements);
  }

  /** All owners of desired elements. */
  owners(): string[] {
    return this.#ledger.owners();
  }

  /** The slots of a frontend, desired or else found at the start, from slot 0 on. */
  slots(object: SetOrMap, key: string): string[] {
    const slots = this.#ledger.slots(object, key);
    const previous = this.#previousListing;
    return slots.length > 0 || previous === undefined ? slots : slotsIn(previous, object, key);
  }

  /** Forgets the slots found at the start. */
  releaseSlots(): void {
    this.#previousListing = undefined;
  }

  /** The transactions from the installed to the desired state, by stage; the state of the kernel must be known. */
  plan(node: NodeView): Transaction[][] {
    const first: Transaction = {
      declarations: this.#isDeclared ? [] : declareTables(node),
      chains: this.#chains.writes(node, this.#ledger.targetChains),
      changes: [],
    };
    return inStages(first, this.#ledger.changes());
  }

  /** Full batches of new slots, after the declarations that they need. */
  planSlots(node: NodeView): Transaction[] {
    const batches = additionsInBatches(this.#ledger.changes((object) => roleOf(object) === 'slots'));
    if (this.#isDeclared || batches.length === 0) return batches;
    return [{ declarations: declareTables(node), chains: [], changes: [] }, ...batches];
  }

  /** Records that a transaction was applied. */
  committed({ declarations, chains, changes }: Transaction): void {
    this.#ledger.committed(changes);
    this.#chains.committed(chains);
    if (declarations.length > 0) this.#isDeclared = true;
  }

  /** The chains that no element refers to any more, and the operations that delete them. */
  staleChains(): StaleChains {
    const { targetChains } = this.#ledger;
    return this.#chains.staleChains((key) => targetChains.has(key));
  }

  /** Records that stale chains were deleted. */
  removed(chains: readonly ObjectRef[]): void {
    this.#chains.removed(chains);
  }

  /** The differences between installed and desired elements. */
  differences(): Change[] {
    return [...this.#ledger.changes()];
  }

  /** The desired elements of a set or map, sorted by key. */
  elements(object: SetOrMap): Element[] {
    return this.#ledger.elements(object);
  }

  /** The number of desired elements in a set or map. */
  size(object: SetOrMap): number {
    return this.#ledger.size(object);
  }

  /** The number of installed chains of a family, without companions. */
  chainCount(family: Family): number {
    return this.#chains.count(family);
  }

  /** The desired chains of a family, and the sets and maps that depend on them. */
  chains(family: Family, node: NodeView): DesiredChains {
    return desiredChains(family, node, this.#ledger.targetChains.values());
  }
}
