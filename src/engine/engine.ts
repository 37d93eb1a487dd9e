// The whole way from objects to transactions, without touching the world.

import { invariant } from '../lib/invariant.ts';
import type { Address } from '../net/address.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { compileService, frontendKey } from '../nftables/compile/compile-service.ts';
import { buildNodeView, type NodeOptions, type NodeView } from '../nftables/compile/node-view.ts';
import { allSetsAndMaps, roleOf } from '../nftables/compile/sets-and-maps.ts';
import { FrontendClaims, type FrontendConflict } from '../nftables/plan/frontend-claims.ts';
import { type Change, Ledger, slotsIn } from '../nftables/plan/ledger.ts';
import type { Element, SetOrMap } from '../nftables/syntax/element.ts';
import type { ElementListing, KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ObjectRef } from '../nftables/syntax/object-ref.ts';
import { allFrontends } from '../services/model/frontends.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Sink } from '../services/objects/sink.ts';
import { type AffinityMap, affinityMapsOf } from './affinity-maps.ts';
import { ChainState, type StaleChains } from './chain-state.ts';
import { type DesiredChains, desiredChains } from './desired-chains.ts';
import { filterAllProxied, filterProxied } from './filter-proxied.ts';
import { NODE_OWNER, nodeElements } from './node-elements.ts';
import type { Refusal } from './refusal.ts';
import { ServedService, type ServiceChange, ServiceChanges } from './service-change.ts';
import { Store } from './store.ts';
import { additionsInBatches, declareTables, inStages, type Transaction } from './transaction.ts';

/**
 * Recompiles what a change concerns, and only that, and keeps account of what the kernel holds. `known` is false as long
 * as that is not known: at the start, after a failed transaction, after a foreign change.
 */
export class Engine implements Sink {
  readonly store = new Store();
  readonly changes = new ServiceChanges();
  /** Set by {@link setOptions} alone. */
  options: NodeOptions;
  readonly #ledger = new Ledger(allSetsAndMaps());
  readonly #claims = new FrontendClaims();
  readonly #chains = new ChainState();
  readonly #refused = new Map<string, string>();
  /** Memories of clients were looked through since the kernel was listed. */
  #affinityMapsChecked = false;
  #hostAddresses: readonly Address[] = [];
  #node: NodeView;
  #kernelKnown = false;
  #declared = false;
  #kernelWasEmpty = false;
  /** What the kernel held at the start, until the first compilation has taken its slots from it. */
  #previousListing: ElementListing | undefined;

  constructor(options: NodeOptions) {
    this.options = options;
    this.#node = this.#buildNodeView();
  }

  get isKernelKnown(): boolean {
    return this.#kernelKnown;
  }

  get hostAddresses(): readonly Address[] {
    return this.#hostAddresses;
  }

  get node(): NodeView {
    return this.#node;
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    this.store.replace(kind, filterAllProxied(kind, objects, this.options));
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.store.put(kind, filterProxied(kind, object, this.options));
  }

  remove(kind: Kind, key: string): void {
    this.store.remove(kind, key);
  }

  /** The addresses of the host's interfaces, from which explicit node port addresses are chosen. */
  setHostAddresses(addresses: readonly Address[]): void {
    this.#hostAddresses = addresses;
    this.store.touchNode();
  }

  /** Other options: everything is compiled anew. The name of the node must be the same. */
  setOptions(options: NodeOptions): void {
    invariant(options.nodeName === this.options.nodeName, 'a node keeps its name');
    this.options = options;
    this.store.touchNode();
    this.store.touch(this.store.services.keys());
  }

  /** The kernel was listed. Slots that it holds are kept by the first compilation, so a restart moves nothing. */
  adopt({ elements, chains }: KernelListing): void {
    if (this.#ledger.isEmpty) this.#previousListing = elements;
    this.#kernelWasEmpty = elements.size === 0;
    this.#ledger.rebase(elements);
    this.#chains.rebase(chains);
    this.#kernelKnown = true;
    this.#declared = false;
    this.#affinityMapsChecked = this.#kernelWasEmpty;
  }

  /** What the kernel holds is not known any more. */
  invalidate(): void {
    this.#kernelKnown = false;
  }

  /** Recompiles whatever was touched. */
  compile(): void {
    const hasMoved = this.#updateNode();
    const touched = this.store.takeTouched();
    for (const key of touched) this.#refused.delete(key);
    const affected = this.#claim(touched);
    this.#compileEach(hasMoved ? new Set([...this.store.services.keys(), ...affected]) : affected);
    this.#previousListing = undefined;
  }

  /** Services that the kernel refused are tried again: what was in their way may be gone. */
  retryRefused(): void {
    this.store.touch(this.#refused.keys());
  }

  /**
   * Slots of Services whose endpoints have arrived, before everything is known, as transactions of {@link plan}'s kind;
   * `more` when there are others than these `limit` Services to compile. Nothing leads to slots without a verdict, so an
   * empty kernel can have them while the lists are still on their way. They count as committed: when one fails, {@link invalidate}.
   */
  preload(limit: number): { readonly transactions: readonly Transaction[]; readonly more: boolean } {
    if (!this.#kernelWasEmpty) return { transactions: [], more: false };
    const recompiled = this.#updateNode() ? this.#ledger.owners().filter((key) => this.store.services.has(key)) : [];
    const touched = this.store.takeTouchedWithSlices(limit);
    this.#compileEach(this.#claim(new Set([...recompiled, ...touched])));
    const batches = additionsInBatches(this.#ledger.changes((object) => roleOf(object) === 'slots'));
    const declared = this.#declared || batches.length === 0;
    const transactions = declared
      ? batches
      : [{ declarations: declareTables(this.#node), chains: [], changes: [] }, ...batches];
    for (const transaction of transactions) this.committed(transaction);
    return { transactions, more: touched.size === limit };
  }

  /** Leaves a Service out, for the kernel refused it. */
  refuse({ service, reason }: Refusal): void {
    this.#refused.set(service, reason);
    this.#compileEach(this.#claim(new Set([service])));
  }

  /**
   * The transactions that bring the kernel to what is wanted; empty when it is there. Those of one stage may go in any
   * order, or at the same time; stages go one after the other. Needs the kernel to be known.
   */
  plan(): Transaction[][] {
    const first: Transaction = {
      declarations: this.#declared ? [] : declareTables(this.#node),
      chains: this.#chains.writes(this.#node, this.#ledger.targetChains),
      changes: [],
    };
    return inStages(first, this.#ledger.changes());
  }

  /** The kernel took this transaction. */
  committed({ declarations, chains, changes }: Transaction): void {
    this.#ledger.committed(changes);
    this.#chains.committed(chains);
    if (declarations.length > 0) this.#declared = true;
  }

  /**
   * Chains that nothing leads to any more, and the operations that remove them. They go in a transaction of their own:
   * kernels before 6.2 still see them in use in the one that removes the last element that led to them.
   */
  staleChains(): StaleChains {
    const { targetChains } = this.#ledger;
    return this.#chains.staleChains((key) => targetChains.has(key));
  }

  removed(chains: readonly ObjectRef[]): void {
    this.#chains.removed(chains);
  }

  /** A Service on this node, port by port; empty when there is no such Service, or it is left out. */
  model(key: string): readonly ServicePortModel[] {
    const current = this.#currentState(key);
    return current.state === 'served' ? current.ports : [];
  }

  conflicts(): FrontendConflict[] {
    return this.#claims.conflicts();
  }

  refusals(): Refusal[] {
    return [...this.#refused].map(([service, reason]) => ({ service, reason }));
  }

  /** Every element in which the kernel differs from what is wanted. */
  differences(): Change[] {
    return [...this.#ledger.changes()];
  }

  /** The wanted elements of a set or map, sorted by key. */
  elements(object: SetOrMap): Element[] {
    return this.#ledger.elements(object);
  }

  /** How many elements are wanted in a set or map. */
  size(object: SetOrMap): number {
    return this.#ledger.size(object);
  }

  /** How many chains the kernel has in a family, besides those that come and go with another. */
  chainCount(family: Family): number {
    return this.#chains.count(family);
  }

  /** All chains of a family, those that are always there first, and the memories that they use. */
  chains(family: Family): DesiredChains {
    return desiredChains(family, this.#node, this.#ledger.targetChains.values());
  }

  /**
   * The memories of Service ports with affinity that changed, with the endpoints that they may still hold, as
   * `address . port`. All of them after the kernel was listed.
   */
  takeAffinityMaps(): AffinityMap[] {
    const services = this.#affinityMapsChecked
      ? this.changes.list()
      : [...this.store.services.keys()].map((key) => this.#currentState(key));
    this.#affinityMapsChecked = true;
    return services.flatMap((change) =>
      change.state === 'served' && change.service.affinitySeconds > 0 ? affinityMapsOf(change.key, change.ports) : [],
    );
  }

  #buildNodeView(): NodeView {
    return buildNodeView(this.options, {
      node: this.store.nodes.get(this.options.nodeName),
      hostAddresses: this.#hostAddresses,
      serviceCidrs: [...this.store.serviceCidrs.values()].flatMap((serviceCidr) => serviceCidr.cidrs),
    });
  }

  /** Looks at the node again if something may have changed, and says whether that concerns Services. */
  #updateNode(): boolean {
    if (!this.store.takeNodeTouched()) return false;
    const [before, node] = [this.#node, this.#buildNodeView()];
    this.#node = node;
    this.#ledger.setElements(NODE_OWNER, nodeElements(node));
    const hasMoved = FAMILIES.some((family) => node.addresses[family] !== before.addresses[family]);
    return hasMoved || node.zone !== before.zone;
  }

  /** Claims for all of them come before any is compiled. Returns them, and those that won or lost by it. */
  #claim(touched: ReadonlySet<string>): Set<string> {
    const affected = new Set(touched);
    for (const key of affected) {
      const service = this.#refused.has(key) ? undefined : this.store.services.get(key);
      const frontends = service === undefined ? [] : allFrontends(service).map(frontendKey);
      const claimant = { key, createdAt: service?.createdAt ?? 0 };
      for (const other of this.#claims.claim(claimant, frontends)) affected.add(other);
    }
    return affected;
  }

  #compileEach(keys: Iterable<string>): void {
    for (const key of keys) {
      const change = this.#currentState(key);
      this.changes.record(change);
      this.#ledger.setElements(key, change.state === 'served' ? this.#compileOne(change) : []);
    }
  }

  #compileOne({ key, service, ports }: ServedService): Element[] {
    return compileService(service, ports, {
      node: this.#node,
      owns: (frontend) => this.#claims.owns(frontend, key),
      slots: (object, at) => {
        const slots = this.#ledger.slots(object, at);
        return slots.length > 0 || this.#previousListing === undefined
          ? slots
          : slotsIn(this.#previousListing, object, at);
      },
    });
  }

  #currentState(key: string): ServiceChange {
    const service = this.store.services.get(key);
    if (service === undefined) return { state: 'absent', key };
    if (this.#refused.has(key)) return { state: 'refused', key, service };
    const node = { nodeName: this.#node.name, zone: this.#node.zone };
    return new ServedService({
      service,
      slices: this.store.slicesOf(key),
      node,
      owns: (frontend) => this.#claims.owns(frontendKey(frontend), key),
    });
  }
}
