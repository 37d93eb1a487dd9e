// Compiles the Services that changed: limits, claims of frontends, models, elements.

import type { Address } from '../net/address.ts';
import { FAMILIES } from '../net/family.ts';
import type { Prefix } from '../net/prefix.ts';
import { compileService, frontendKey } from '../nftables/compile/compile-service.ts';
import { buildNodeView, type NodeOptions, type NodeView } from '../nftables/compile/node-view.ts';
import { DEFAULT_LIMITS } from '../nftables/plan/budget.ts';
import { FrontendClaims, type FrontendConflict } from '../nftables/plan/frontend-claims.ts';
import type { Element } from '../nftables/syntax/element.ts';
import { allFrontends } from '../services/model/frontends.ts';
import { usableServiceCidrs } from '../services/model/service-cidr-blocks.ts';
import type { Service } from '../services/objects/service.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import type { KernelState } from './kernel-state.ts';
import { NODE_OWNER, nodeElements } from './node-elements.ts';
import { type Refusal, ServedService, type ServiceChange, ServiceChanges } from './service-change.ts';
import { ServiceLimits } from './service-limits.ts';
import type { Store } from './store.ts';

interface ServiceCompilerOptions {
  readonly options: NodeOptions;
  readonly store: Store;
  /** Receives the elements. */
  readonly kernel: Pick<KernelState, 'setElements' | 'slots' | 'owners'>;
}

/** Keeps the elements of all Services up to date with the store, when it is asked to. */
export class ServiceCompiler {
  readonly changes = new ServiceChanges();
  readonly limits = new ServiceLimits();
  readonly #store: Store;
  readonly #kernel: ServiceCompilerOptions['kernel'];
  readonly #claims = new FrontendClaims();
  readonly #refused = new Map<string, string>();
  #options: NodeOptions;
  #hostAddresses: readonly Address[] = [];
  #hostNetworks: readonly Prefix[] = [];
  #cidrIssues: readonly ValidationIssue[] = [];
  /** All issues, while those of the store are the same. */
  #issues: { readonly ofStore: readonly ValidationIssue[]; readonly all: readonly ValidationIssue[] } | undefined;
  #node: NodeView;

  constructor({ options, store, kernel }: ServiceCompilerOptions) {
    this.#store = store;
    this.#kernel = kernel;
    this.#options = options;
    this.limits.setLimits(options.limits ?? DEFAULT_LIMITS);
    this.#node = this.#buildNodeView();
  }

  get options(): NodeOptions {
    return this.#options;
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

  setHostAddresses(addresses: readonly Address[], networks: readonly Prefix[]): void {
    this.#hostAddresses = addresses;
    this.#hostNetworks = networks;
    this.#store.touchNode();
  }

  setOptions(options: NodeOptions): void {
    this.#options = options;
    this.limits.setLimits(options.limits ?? DEFAULT_LIMITS);
    this.#store.touchNode();
    this.#store.touch(this.#store.services.keys());
  }

  /** Recompiles everything that changed. */
  compile(): void {
    const affectsAllServices = this.#updateNode();
    const touched = this.#store.takeTouched();
    for (const key of touched) this.#refused.delete(key);
    const affected = this.#claim(this.#applyLimits(touched));
    this.#compileServices(affectsAllServices ? new Set([...this.#store.services.keys(), ...affected]) : affected);
  }

  /** Recompiles up to `limit` Services whose endpoints have arrived. Returns whether others are left. */
  compileArrived(limit: number): boolean {
    const recompiled = this.#updateNode() ? this.#kernel.owners().filter((key) => this.#store.services.has(key)) : [];
    const touched = this.#store.takeTouchedWithSlices(limit);
    this.#compileServices(this.#claim(this.#applyLimits(new Set([...recompiled, ...touched]))));
    return touched.size === limit;
  }

  /** Removes a Service that the kernel refused. */
  refuse({ service, reason }: Refusal): void {
    this.#refused.set(service, reason);
    this.#compileServices(this.#claim(new Set([service])));
  }

  /** Lets the next compilation try the refused Services again. */
  retryRefused(): void {
    this.#store.touch(this.#refused.keys());
  }

  refusals(): Refusal[] {
    return [...this.#refused].map(([service, reason]) => ({ service, reason }));
  }

  /** The issues of all objects. The same list as before if none changed. */
  issues(): readonly ValidationIssue[] {
    const ofStore = this.#store.issues();
    if (this.#issues?.ofStore !== ofStore) this.#issues = { ofStore, all: [...ofStore, ...this.#cidrIssues] };
    return this.#issues.all;
  }

  conflicts(): readonly FrontendConflict[] {
    return this.#claims.conflicts();
  }

  /** All Services as they are served: without what exceeds a limit. */
  *services(): Generator<Service> {
    for (const service of this.#store.services.values()) yield this.limits.effective(service);
  }

  /** The state of a Service by the latest objects. */
  currentState(key: string): ServiceChange {
    const service = this.#serviceOf(key);
    if (service === undefined) return { state: 'absent', key };
    if (this.#refused.has(key)) return { state: 'refused', key, service };
    const node = { nodeName: this.#node.name, zone: this.#node.zone };
    return new ServedService({
      service,
      slices: this.#store.slicesOf(key),
      node,
      owns: (frontend) => this.#claims.owns(frontendKey(frontend), key),
    });
  }

  #buildNodeView(): NodeView {
    const { bindAddress, detectLocal } = this.#options;
    const { blocks, issues } = usableServiceCidrs(this.#store, {
      clusterCidrs: detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : [],
      bindAddress,
      hostNetworks: this.#hostNetworks,
    });
    this.#cidrIssues = issues;
    this.#issues = undefined;
    return buildNodeView(this.#options, {
      node: this.#store.nodes.get(this.#options.nodeName),
      hostAddresses: this.#hostAddresses,
      serviceCidrs: blocks,
    });
  }

  /** Rebuilds the node view if its facts changed. Returns whether all Services must be recompiled. */
  #updateNode(): boolean {
    if (!this.#store.takeNodeTouched()) return false;
    const [before, node] = [this.#node, this.#buildNodeView()];
    this.#node = node;
    this.#kernel.setElements(NODE_OWNER, nodeElements(node));
    const hasNewAddress = FAMILIES.some((family) => node.addresses[family] !== before.addresses[family]);
    return hasNewAddress || node.zone !== before.zone;
  }

  /** Counts what these Services need. Returns them, and those that are served differently by this. */
  #applyLimits(touched: ReadonlySet<string>): Set<string> {
    const { nodeName } = this.#options;
    for (const key of touched) {
      const slices = [...this.#store.slicesOf(key)];
      this.limits.update(key, this.#store.services.get(key), { slices, nodeName });
    }
    return new Set([...touched, ...this.limits.settle()]);
  }

  /** The Service without what exceeds a limit. */
  #serviceOf(key: string): Service | undefined {
    const service = this.#store.services.get(key);
    return service === undefined ? undefined : this.limits.effective(service);
  }

  /** Updates the claims of all before one is compiled. Returns them, and those that won or lost a frontend. */
  #claim(touched: ReadonlySet<string>): Set<string> {
    const affected = new Set(touched);
    for (const key of affected) {
      const service = this.#refused.has(key) ? undefined : this.#serviceOf(key);
      const frontends = service === undefined ? [] : allFrontends(service).map(frontendKey);
      const claimant = { key, createdAt: service?.createdAt ?? 0 };
      for (const other of this.#claims.claim(claimant, frontends)) affected.add(other);
    }
    return affected;
  }

  #compileServices(keys: Iterable<string>): void {
    for (const key of keys) {
      const change = this.currentState(key);
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
}
