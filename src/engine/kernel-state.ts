// Tracks desired and installed elements and chains, and plans the transactions from one to the other.

import type { Steps } from '../lib/steps.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { type KernelServices, kernelServices } from '../nftables/compile/kernel-services.ts';
import type { NodeView } from '../nftables/compile/node-view.ts';
import { allSetsAndMaps, isSlot, lastTransaction, roleOf, SETS_AND_MAPS } from '../nftables/compile/sets-and-maps.ts';
import { type Change, Ledger, slotsIn } from '../nftables/plan/ledger.ts';
import { Transition } from '../nftables/plan/transition.ts';
import type { Element, SetOrMap } from '../nftables/syntax/element.ts';
import type { ElementListing, InstalledElement, KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../nftables/syntax/listed-table.ts';
import type { Notification, RulesetCommit } from '../nftables/syntax/notification.ts';
import { type ObjectRef, type RefKey, refKey } from '../nftables/syntax/object-ref.ts';
import { addTable, deleteObject, deleteTable, type Operation } from '../nftables/syntax/operation.ts';
import { ChainState, type StaleChains } from './chains/chain-state.ts';
import { type DesiredChains, desiredChains } from './chains/desired-chains.ts';
import { AcceptedForms } from './structure/accepted-forms.ts';
import { compareTable, listedChains, type StructureDifference } from './structure/compare-tables.ts';
import { hasOtherDeclarations, isDeclared } from './structure/declarations.ts';
import { additionsInBatches, declareTables, inStages, type Transaction } from './transaction.ts';

/** The sets and maps of both families that every table has. */
const OBJECTS: ReadonlyMap<RefKey, SetOrMap> = new Map(allSetsAndMaps().map((object) => [refKey(object), object]));

/**
 * The state of the kernel is unknown at the start, after a failed transaction and after a change by another program,
 * until a listing is adopted.
 */
export class KernelState {
  readonly #ledger = new Ledger(allSetsAndMaps());
  readonly #chains = new ChainState();
  #isKnown = false;
  #wasEmpty = false;
  /** Families whose table exists with all its sets and maps. */
  readonly #declared = new Set<Family>();
  /** Families whose table must be deleted first, because sets or maps are declared differently. */
  readonly #rebuilt = new Set<Family>();
  /** Objects of others in our tables, except chains. */
  #unexpected: readonly (ObjectRef & { readonly kind: string })[] = [];
  readonly #acceptedForms = new AcceptedForms();
  /** The elements found at the start, until {@link releaseSlots}: those of tables that stay, and all. */
  #previousListing: ElementListing | undefined;
  #foundListing: ElementListing | undefined;

  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Whether the last listing had no elements. */
  get wasEmpty(): boolean {
    return this.#wasEmpty;
  }

  /** Takes a listing as the state of the kernel. */
  *adopt({ elements, chains, tables = [] }: KernelListing): Steps<void> {
    this.#rebuilt.clear();
    this.#unexpected = [];
    for (const table of tables)
      if (hasOtherDeclarations(table, this.#acceptedForms)) this.#rebuilt.add(table.family as Family);
    const isKept = ({ family }: { readonly family: string }) => !this.#rebuilt.has(family as Family);
    const kept = this.#rebuilt.size === 0 ? elements : withoutFamilies(elements, this.#rebuilt);
    if (this.#ledger.isEmpty) [this.#previousListing, this.#foundListing] = [kept, elements];
    this.#wasEmpty = elements.size === 0;
    yield* this.#ledger.rebase(kept);
    this.#chains.rebase(chains.filter(isKept), listedChains(tables.filter(isKept)));
    this.#isKnown = true;
    this.#declared.clear();
    for (const table of tables) if (isDeclared(table)) this.#declared.add(table.family as Family);
  }

  /** The differences between our tables in the kernel and the desired ones, except elements. */
  compareTables(tables: readonly ListedTable[], node: NodeView): StructureDifference[] {
    const differences = FAMILIES.flatMap((family) => {
      const { chains, dynamicSets } = this.chains(family, node);
      const setsAndMaps = [...Object.values(SETS_AND_MAPS[family]), lastTransaction(family), ...dynamicSets];
      return compareTable({ family, chains, setsAndMaps }, tables, node);
    });
    return differences.filter((difference) => !this.#acceptedForms.has(difference));
  }

  /**
   * Plans the repair of these differences. Chains are written again; if a table, set, map or chain is missing, or declared
   * differently, the state of the kernel is unknown from then on.
   */
  repair(differences: readonly StructureDifference[], tables: readonly ListedTable[]): void {
    const listed = listedChains(tables);
    this.#unexpected = [];
    for (const difference of differences) {
      const { kind, family, name, state } = difference;
      if (state === 'missing' || (state === 'changed' && (kind === 'set' || kind === 'map'))) this.invalidate();
      else if (kind === 'table') this.#declared.delete(family);
      else if (kind !== 'chain') this.#unexpected = [...this.#unexpected, { family, kind, name }];
      else if (state === 'unexpected') this.#chains.reject({ family, name });
      else this.#chains.outdate({ family, name }, listed.get(refKey({ family, name }))?.hook ?? '');
    }
  }

  /**
   * Takes differences that remain right after we wrote the objects as the way in which this nft prints them. Returns those
   * that are new.
   */
  acceptForms(differences: readonly StructureDifference[]): StructureDifference[] {
    return this.#acceptedForms.accept(differences);
  }

  /**
   * Records the changes of another process that the notifications report. The state becomes unknown if they do not
   * report enough. What they do not name, such as the former name of a chain, is found by {@link compareTables}.
   */
  observe(commit: RulesetCommit): void {
    if (!this.#isKnown) return;
    const storms = this.#observeStorms(commit);
    if (storms === 'unknown') this.invalidate();
    else for (const notification of commit.notifications) this.#observeOne(notification, storms);
  }

  /** Marks the state of the kernel as unknown. */
  invalidate(): void {
    this.#isKnown = false;
  }

  /** Sets and maps with more notifications than were kept; `unknown` if one of them was not just emptied. */
  #observeStorms({ notifications, omitted }: RulesetCommit): ReadonlySet<SetOrMap> | 'unknown' {
    const storms = new Set<SetOrMap>();
    for (const [key, { added, deleted }] of omitted) {
      const object = OBJECTS.get(key);
      if (object === undefined) continue;
      const kept = notifications.filter((one) => one.kind === 'element' && refKey(one.object) === key);
      const isEmptied = added === 0 && kept.every(({ verb }) => verb === 'delete');
      if (!isEmptied || kept.length + deleted !== this.#ledger.installedCount(object)) return 'unknown';
      this.#ledger.observeEmpty(object);
      storms.add(object);
    }
    return storms;
  }

  #observeOne(notification: Notification, storms: ReadonlySet<SetOrMap>): void {
    const { kind, verb } = notification;
    if (kind === 'table') this.#observeTable(notification.family, verb);
    else if (kind === 'rule' || (kind === 'chain' && verb === 'add')) this.#chains.observeChange(notification.object);
    else if (kind === 'chain') this.#chains.observeDeletion(notification.object);
    else if (kind === 'set' && verb === 'delete') this.#observeSetDeletion(notification.object);
    else if (kind === 'element') this.#observeElement(notification, storms);
  }

  /** Declares the table again, also to clear flags such as `dormant`. */
  #observeTable(family: Family, verb: 'add' | 'delete'): void {
    this.#declared.delete(family);
    if (verb === 'add') return;
    for (const object of OBJECTS.values()) if (object.family === family) this.#ledger.observeEmpty(object);
    this.#chains.observeTableDeletion(family);
    this.#unexpected = this.#unexpected.filter((object) => object.family !== family);
  }

  #observeSetDeletion(ref: ObjectRef): void {
    this.#declared.delete(ref.family);
    const object = OBJECTS.get(refKey(ref));
    if (object !== undefined) this.#ledger.observeEmpty(object);
  }

  /** Rules add elements to other sets and maps, such as those of affinity. */
  #observeElement(notification: Notification & { kind: 'element' }, storms: ReadonlySet<SetOrMap>): void {
    const { object: ref, verb, key, installed } = notification;
    const object = OBJECTS.get(refKey(ref));
    if (object === undefined || storms.has(object)) return;
    this.#ledger.observe(object, key, verb === 'add' ? installed : undefined);
  }

  /** The known installed element of a key; `undefined` if there is none. */
  installed(object: SetOrMap, key: string): InstalledElement | undefined {
    return this.#ledger.installed(object, key);
  }

  /** The number of known installed elements. */
  installedCount(object: SetOrMap): number {
    return this.#ledger.installedCount(object);
  }

  /** The keys that may have an installed element. */
  installedKeys(object: SetOrMap): Iterable<string> {
    return this.#ledger.installedKeys(object);
  }

  /** Replaces the desired elements of an owner. */
  setElements(owner: string, elements: readonly Element[]): void {
    this.#ledger.setElements(owner, elements);
  }

  /** The number of desired elements of an owner. */
  countOf(owner: string): number {
    return this.#ledger.elementsOf(owner).length;
  }

  /** Prepares to replace the desired elements of an owner piece by piece. */
  transition(owner: string, elements: readonly Element[]): Steps<Transition> {
    return Transition.prepare({ ledger: this.#ledger, owner, elements, isSlot });
  }

  /** The slots of a frontend, desired or else found at the start, from slot 0 on. */
  slots(object: SetOrMap, key: string): Iterable<string> {
    const previous = this.#previousListing;
    const [first] = this.#ledger.slots(object, key);
    return first !== undefined || previous === undefined
      ? this.#ledger.slots(object, key)
      : slotsIn(previous, object, key);
  }

  /** The Services with endpoints found at the start, until {@link releaseSlots}. */
  servicesFound(): Steps<KernelServices> {
    return kernelServices(this.#foundListing ?? new Map());
  }

  /** Forgets what was found at the start. */
  releaseSlots(): void {
    this.#previousListing = undefined;
    this.#foundListing = undefined;
  }

  /** The transactions from the installed to the desired state, by stage; the state of the kernel must be known. */
  plan(node: NodeView): Steps<Transaction[][]> {
    const first: Transaction = {
      declarations: this.#declarations(node),
      chains: this.#chains.writes(node, this.#ledger.targetChains),
      changes: [],
    };
    return inStages(first, this.#ledger.changes());
  }

  /** Full batches of new slots, after the declarations that they need. */
  planSlots(node: NodeView): Transaction[] {
    const batches = additionsInBatches(this.#ledger.changes((object) => roleOf(object) === 'slots'));
    const declarations = batches.length === 0 ? [] : this.#declarations(node);
    return declarations.length === 0 ? batches : [{ declarations, chains: [], changes: [] }, ...batches];
  }

  /** Records that a transaction was applied. */
  committed({ declarations, chains, changes }: Transaction): void {
    this.#ledger.committed(changes);
    this.#chains.committed(chains);
    if (declarations.length === 0) return;
    for (const family of FAMILIES) this.#declared.add(family);
    this.#rebuilt.clear();
  }

  /** The chains that no element refers to any more, and the operations that delete them. */
  staleChains(): StaleChains {
    const { targetChains } = this.#ledger;
    const stale = this.#chains.staleChains((key) => targetChains.has(key));
    if (this.#unexpected.length === 0) return stale;
    return { ...stale, operations: [...stale.operations, ...this.#unexpected.map(deleteObject)], isUrgent: true };
  }

  /** Records that stale chains were deleted. */
  removed(chains: readonly ObjectRef[]): void {
    this.#chains.removed(chains);
    this.#unexpected = [];
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

  #declarations(node: NodeView): Operation[] {
    if (this.#rebuilt.size === 0 && node.families.every((family) => this.#declared.has(family))) return [];
    // Added first: another program may have deleted it meanwhile.
    const deletions = [...this.#rebuilt].flatMap((family) => [addTable(family), deleteTable(family)]);
    return [...deletions, ...declareTables(node)];
  }
}

function withoutFamilies(elements: ElementListing, families: ReadonlySet<Family>): ElementListing {
  return new Map([...elements].filter(([object]) => ![...families].some((family) => object.startsWith(`${family} `))));
}
