// Turns API objects into nft transactions, without I/O.

import { invariant } from '../lib/invariant.ts';
import { runSteps, type Steps } from '../lib/steps.ts';
import type { Address } from '../net/address.ts';
import type { Family } from '../net/family.ts';
import type { Prefix } from '../net/prefix.ts';
import type { NodeOptions, NodeView } from '../nftables/compile/node-view.ts';
import type { FrontendConflict } from '../nftables/plan/frontend-claims.ts';
import type { Change } from '../nftables/plan/ledger.ts';
import type { Element, SetOrMap } from '../nftables/syntax/element.ts';
import type { KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ObjectRef } from '../nftables/syntax/object-ref.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Service } from '../services/objects/service.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import { type AffinityMap, affinityMapsOf, StaleAffinity } from './affinity-maps.ts';
import type { StaleChains } from './chains/chain-state.ts';
import type { DesiredChains } from './chains/desired-chains.ts';
import { KernelState } from './kernel-state.ts';
import { ProxiedObjects } from './proxied-objects.ts';
import type { Refusal, ServiceChange, ServiceChanges } from './service-change.ts';
import { type PieceSizes, ServiceCompiler } from './service-compiler.ts';
import type { LimitedService, ServiceLimits } from './service-limits.ts';
import { Store } from './store.ts';
import type { Transaction } from './transaction.ts';

/** Recompiles only what a change affects, and tracks the state of the kernel. */
export class Engine implements Sink {
  readonly store = new Store();
  readonly #kernel = new KernelState();
  /** The Services with endpoints that the kernel had at the start, until the first compilation. */
  readonly servicesFound = () => this.#kernel.servicesFound();
  readonly #compiler: ServiceCompiler;
  readonly #objects: ProxiedObjects;
  readonly #staleAffinity = new StaleAffinity();
  /** Whether the affinity maps of all Services are to be searched, because the kernel was listed. */
  #isAffinityUnknown = false;

  /** `sizes` are for tests. */
  constructor(options: NodeOptions, sizes?: PieceSizes) {
    this.#compiler = new ServiceCompiler({ options, sizes, store: this.store, kernel: this.#kernel });
    this.#objects = new ProxiedObjects(this.store, this);
  }

  /** Only {@link setOptions} changes them. */
  get options(): NodeOptions {
    return this.#compiler.node.options;
  }

  /** The Services that were compiled since the last commit. */
  get changes(): ServiceChanges {
    return this.#compiler.changes;
  }

  get isKernelKnown(): boolean {
    return this.#kernel.isKnown;
  }

  get hostAddresses(): readonly Address[] {
    return this.#compiler.node.hostAddresses;
  }

  get hostNetworks(): readonly Prefix[] {
    return this.#compiler.node.hostNetworks;
  }

  get node(): NodeView {
    return this.#compiler.node.view;
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    this.#objects.replace(kind, objects);
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#objects.put(kind, object);
  }

  remove(kind: Kind, key: string): void {
    this.#objects.remove(kind, key);
  }

  /** Sets the addresses of the host's interfaces, which can take node ports, and their networks, which no ServiceCIDR may contain. */
  setHostAddresses(addresses: readonly Address[], networks: readonly Prefix[] = []): void {
    this.#compiler.node.setHostAddresses(addresses, networks);
    this.#objects.updateHost();
  }

  /** Recompiles everything with other options. The node name cannot change. */
  setOptions(options: NodeOptions): void {
    invariant(options.nodeName === this.options.nodeName, 'a node keeps its name');
    this.#compiler.setOptions(options);
    this.#objects.rebuild();
  }

  /** Takes a listing as the kernel's state. The first compilation keeps its slots, so a restart moves no client. */
  adopt(listing: KernelListing): void {
    runSteps(this.adoptSteps(listing));
  }

  /** {@link adopt} in steps. Between them, objects may change. */
  *adoptSteps(listing: KernelListing): Steps<void> {
    yield* this.#kernel.adopt(listing);
    this.#isAffinityUnknown = !this.#kernel.wasEmpty;
  }

  /** Marks the state of the kernel as unknown. */
  invalidate(): void {
    this.#kernel.invalidate();
  }

  /** Finds and repairs changes by other programs. */
  get foreignChanges(): Pick<
    KernelState,
    'observe' | 'compareTables' | 'repair' | 'acceptForms' | 'installed' | 'installedCount' | 'installedKeys'
  > {
    return this.#kernel;
  }

  /** Finds elements by their keys. */
  get lookup(): Pick<KernelState, 'slots' | 'installed'> {
    return this.#kernel;
  }

  /** Recompiles everything that changed. */
  compile(): void {
    runSteps(this.compileSteps());
  }

  /** {@link compile} in steps. Between them, objects may change: a change is included now, or the next time. */
  *compileSteps(): Steps<void> {
    yield* this.#compiler.compileAll();
    this.#kernel.releaseSlots();
  }

  /**
   * Recompiles what changed, but leaves large Services and large numbers of Services for later, so that the changes of
   * others need not wait for them. Each call does a piece of this; {@link hasMore} tells whether more is left.
   */
  compilePiece(): Steps<void> {
    return this.#compiler.compilePiece();
  }

  /** Services of which the kernel may have a part: neither the state before nor the desired one. */
  get inProgress(): readonly ServiceChange[] {
    return this.#compiler.inProgress;
  }

  /** Whether {@link compilePiece} or {@link takeAffinityMaps} has left something for later. */
  get hasMore(): boolean {
    return this.#compiler.hasMore || this.#staleAffinity.hasMore;
  }

  /** Lets the next compilation try the refused Services again. */
  retryRefused(): void {
    this.#compiler.retryRefused();
  }

  /**
   * Transactions that add the slots of Services whose endpoints have arrived, before all objects are known. Compiles up
   * to `limit` Services; `more` tells whether others are left. No packet reaches slots without a verdict, so an empty
   * kernel can have them early. The transactions count as committed: if one fails, call {@link invalidate}.
   */
  preload(limit: number): { readonly transactions: readonly Transaction[]; readonly more: boolean } {
    if (!this.#kernel.wasEmpty) return { transactions: [], more: false };
    const more = this.#compiler.compileArrived(limit);
    const transactions = this.#kernel.planSlots(this.node);
    for (const transaction of transactions) this.committed(transaction);
    return { transactions, more };
  }

  /** Removes a Service that the kernel refused from the desired state. */
  refuse(refusal: Refusal): void {
    this.#compiler.refuse(refusal);
  }

  /**
   * The transactions from the installed to the desired state, by stage; empty when both are equal. Stages
   * must be applied in order; the transactions of a stage in any order, or concurrently. The state of the kernel must
   * be known.
   */
  plan(): Transaction[][] {
    return runSteps(this.planSteps());
  }

  /** {@link plan} in steps. */
  planSteps(): Steps<Transaction[][]> {
    return this.#kernel.plan(this.node);
  }

  /** Records that a transaction was applied. */
  committed(transaction: Transaction): void {
    this.#kernel.committed(transaction);
    this.#staleAffinity.committed(transaction.changes, (service) => this.#hasAffinity(service));
  }

  #hasAffinity(service: string): boolean {
    return (this.store.services.get(service)?.affinitySeconds ?? 0) > 0;
  }

  /**
   * The chains that no element refers to any more, and the operations that delete them. These need a separate
   * transaction: kernels before 6.2 consider a chain in use within the transaction that deletes the last element with
   * it.
   */
  staleChains(): StaleChains {
    return this.#kernel.staleChains();
  }

  /** Records that stale chains were deleted. */
  removed(chains: readonly ObjectRef[]): void {
    this.#kernel.removed(chains);
  }

  /** The model of a Service on this node; empty when the Service does not exist or was refused. */
  model(key: string): readonly ServicePortModel[] {
    const current = this.#compiler.currentState(key);
    return current.state === 'served' ? current.ports : [];
  }

  /** Replaces the issues of ports, which depend on the processes of this node. */
  setPortIssues(issues: readonly ValidationIssue[]): void {
    this.#compiler.node.setPortIssues(issues);
  }

  /** The issues of all objects, in a stable order, including those that only this node can find. */
  issues(): readonly ValidationIssue[] {
    return this.#compiler.issues();
  }

  conflicts(): readonly FrontendConflict[] {
    return this.#compiler.claims.conflicts();
  }

  /** The Services that exceed a limit. The same list as before if none changed. */
  limited(): readonly LimitedService[] {
    return this.#compiler.limits.limited();
  }

  /** What the Services need, and the limits. */
  limitUsage(): ReturnType<ServiceLimits['usage']> {
    return this.#compiler.limits.usage();
  }

  /** All Services as they are served: without what exceeds a limit. */
  services(): Iterable<Service> {
    return this.#compiler.services();
  }

  refusals(): Refusal[] {
    return this.#compiler.refusals();
  }

  /** The differences between installed and desired elements. */
  differences(): Change[] {
    return this.#kernel.differences();
  }

  /** The desired elements of a set or map, sorted by key. */
  elements(object: SetOrMap): Element[] {
    return this.#kernel.elements(object);
  }

  /** The number of desired elements in a set or map. */
  size(object: SetOrMap): number {
    return this.#kernel.size(object);
  }

  /** The number of installed chains of a family, without companions. */
  chainCount(family: Family): number {
    return this.#kernel.chainCount(family);
  }

  /** The desired chains of a family, and the sets and maps that depend on them. */
  chains(family: Family): DesiredChains {
    return this.#kernel.chains(family, this.node);
  }

  /**
   * The affinity maps that may have endpoints which their Services no longer have: those of the changed Services, and after a
   * listing also those of all others, a few with each call (see {@link hasMore}).
   */
  takeAffinityMaps(): AffinityMap[] {
    const searched = this.#isAffinityUnknown ? [...this.store.services.keys()] : [];
    this.#staleAffinity.search(searched.filter((service) => this.#hasAffinity(service)));
    this.#isAffinityUnknown = false;
    const compiled = new Map(this.changes.list().map((change) => [change.key, change]));
    return [...this.#staleAffinity.take()].flatMap((key) => {
      const change = compiled.get(key) ?? this.#compiler.currentState(key);
      const isServed = change.state === 'served' && change.service.affinitySeconds > 0;
      return isServed ? affinityMapsOf(change.key, change.ports) : [];
    });
  }
}
