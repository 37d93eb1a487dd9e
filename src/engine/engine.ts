// Turns API objects into nft transactions, without I/O.

import { invariant } from '../lib/invariant.ts';
import type { Address } from '../net/address.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import type { Prefix } from '../net/prefix.ts';
import { compileService, frontendKey } from '../nftables/compile/compile-service.ts';
import { buildNodeView, type NodeOptions, type NodeView } from '../nftables/compile/node-view.ts';
import { FrontendClaims, type FrontendConflict } from '../nftables/plan/frontend-claims.ts';
import type { Change } from '../nftables/plan/ledger.ts';
import type { Element, SetOrMap } from '../nftables/syntax/element.ts';
import type { KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ObjectRef } from '../nftables/syntax/object-ref.ts';
import { allFrontends } from '../services/model/frontends.ts';
import { usableServiceCidrs } from '../services/model/service-cidr-blocks.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';
import type { Kind, KindMap } from '../services/objects/kinds.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import { type AffinityMap, affinityMapsOf } from './affinity-maps.ts';
import type { StaleChains } from './chain-state.ts';
import type { DesiredChains } from './desired-chains.ts';
import { filterAllProxied, filterProxied } from './filter-proxied.ts';
import { KernelState } from './kernel-state.ts';
import { NODE_OWNER, nodeElements } from './node-elements.ts';
import { type Refusal, ServedService, type ServiceChange, ServiceChanges } from './service-change.ts';
import { Store } from './store.ts';
import type { Transaction } from './transaction.ts';

/** Recompiles only what a change affects, and tracks the state of the kernel. */
export class Engine implements Sink {
  readonly store = new Store();
  readonly changes = new ServiceChanges();
  /** Only {@link setOptions} changes it. */
  options: NodeOptions;
  readonly #kernel = new KernelState();
  readonly #claims = new FrontendClaims();
  readonly #refused = new Map<string, string>();
  /** Whether {@link takeAffinityMaps} has returned all affinity maps since the kernel was listed. */
  #hasTakenAffinityMaps = false;
  #hostAddresses: readonly Address[] = [];
  #hostNetworks: readonly Prefix[] = [];
  #cidrIssues: readonly ValidationIssue[] = [];
  #node: NodeView;

  constructor(options: NodeOptions) {
    this.options = options;
    this.#node = this.#buildNodeView();
  }

  get isKernelKnown(): boolean {
    return this.#kernel.isKnown;
  }

  get hostAddresses(): readonly Address[] {
    return this.#hostAddresses;
  }

  get hostNetworks(): readonly Prefix[] {
    return this.#hostNetworks;
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

  /**
   * Sets the addresses of the host's interfaces, from which node port addresses are selected, and their networks, which no
   * ServiceCIDR may contain.
   */
  setHostAddresses(addresses: readonly Address[], networks: readonly Prefix[] = []): void {
    this.#hostAddresses = addresses;
    this.#hostNetworks = networks;
    this.store.touchNode();
  }

  /** Recompiles everything with other options. The node name cannot change. */
  setOptions(options: NodeOptions): void {
    invariant(options.nodeName === this.options.nodeName, 'a node keeps its name');
    this.options = options;
    this.store.touchNode();
    this.store.touch(this.store.services.keys());
  }

  /** Takes a listing as the kernel's state. The first compilation keeps its slots, so a restart moves no client. */
  adopt(listing: KernelListing): void {
    this.#kernel.adopt(listing);
    this.#hasTakenAffinityMaps = this.#kernel.wasEmpty;
  }

  /** Marks the state of the kernel as unknown. */
  invalidate(): void {
    this.#kernel.invalidate();
  }

  /** Recompiles everything that changed. */
  compile(): void {
    const affectsAllServices = this.#updateNode();
    const touched = this.store.takeTouched();
    for (const key of touched) this.#refused.delete(key);
    const affected = this.#claim(touched);
    this.#compileServices(affectsAllServices ? new Set([...this.store.services.keys(), ...affected]) : affected);
    this.#kernel.releaseSlots();
  }

  /** Lets the next compilation try the refused Services again. */
  retryRefused(): void {
    this.store.touch(this.#refused.keys());
  }

  /**
   * Transactions that add the slots of Services whose endpoints have arrived, before all objects are known. Compiles up
   * to `limit` Services; `more` tells whether others are left. No packet reaches slots without a verdict, so an empty
   * kernel can have them early. The transactions count as committed: if one fails, call {@link invalidate}.
   */
  preload(limit: number): { readonly transactions: readonly Transaction[]; readonly more: boolean } {
    if (!this.#kernel.wasEmpty) return { transactions: [], more: false };
    const recompiled = this.#updateNode() ? this.#kernel.owners().filter((key) => this.store.services.has(key)) : [];
    const touched = this.store.takeTouchedWithSlices(limit);
    this.#compileServices(this.#claim(new Set([...recompiled, ...touched])));
    const transactions = this.#kernel.planSlots(this.#node);
    for (const transaction of transactions) this.committed(transaction);
    return { transactions, more: touched.size === limit };
  }

  /** Removes a Service that the kernel refused from the desired state. */
  refuse({ service, reason }: Refusal): void {
    this.#refused.set(service, reason);
    this.#compileServices(this.#claim(new Set([service])));
  }

  /**
   * The transactions from the installed to the desired state, by stage; empty when both are equal. Stages
   * must be applied in order; the transactions of a stage in any order, or concurrently. The state of the kernel must
   * be known.
   */
  plan(): Transaction[][] {
    return this.#kernel.plan(this.#node);
  }

  /** Records that a transaction was applied. */
  committed(transaction: Transaction): void {
    this.#kernel.committed(transaction);
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
    const current = this.#currentState(key);
    return current.state === 'served' ? current.ports : [];
  }

  /** The issues of all objects, in a stable order, including those that only this node can find. */
  issues(): ValidationIssue[] {
    return [...this.store.issues(), ...this.#cidrIssues];
  }

  conflicts(): FrontendConflict[] {
    return this.#claims.conflicts();
  }

  refusals(): Refusal[] {
    return [...this.#refused].map(([service, reason]) => ({ service, reason }));
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
    return this.#kernel.chains(family, this.#node);
  }

  /** The affinity maps of the Services that changed since the last commit; of all Services after a listing. */
  takeAffinityMaps(): AffinityMap[] {
    const services = this.#hasTakenAffinityMaps
      ? this.changes.list()
      : [...this.store.services.keys()].map((key) => this.#currentState(key));
    this.#hasTakenAffinityMaps = true;
    return services.flatMap((change) =>
      change.state === 'served' && change.service.affinitySeconds > 0 ? affinityMapsOf(change.key, change.ports) : [],
    );
  }

  #buildNodeView(): NodeView {
    const { bindAddress, detectLocal } = this.options;
    const { blocks, issues } = usableServiceCidrs(this.store, {
      clusterCidrs: detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : [],
      bindAddress,
      hostNetworks: this.#hostNetworks,
    });
    this.#cidrIssues = issues;
    return buildNodeView(this.options, {
      node: this.store.nodes.get(this.options.nodeName),
      hostAddresses: this.#hostAddresses,
      serviceCidrs: blocks,
    });
  }

  /** Rebuilds the node view if its facts changed. Returns whether all Services must be recompiled. */
  #updateNode(): boolean {
    if (!this.store.takeNodeTouched()) return false;
    const [before, node] = [this.#node, this.#buildNodeView()];
    this.#node = node;
    this.#kernel.setElements(NODE_OWNER, nodeElements(node));
    const hasNewAddress = FAMILIES.some((family) => node.addresses[family] !== before.addresses[family]);
    return hasNewAddress || node.zone !== before.zone;
  }

  /** Updates the claims of all before one is compiled. Returns them, and those that won or lost a frontend. */
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

  #compileServices(keys: Iterable<string>): void {
    for (const key of keys) {
      const change = this.#currentState(key);
      this.changes.record(change);
      this.#kernel.setElements(key, change.state === 'served' ? this.#elementsOf(change) : []);
    }
  }

  #elementsOf({ key, service, ports }: ServedService): Element[] {
    return compileService(service, ports, {
      node: this.#node,
      owns: (frontend) => this.#claims.owns(frontend, key),
      slots: (object, frontend) => this.#kernel.slots(object, frontend),
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
