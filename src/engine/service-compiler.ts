// Compiles the Services that changed: limits, claims of frontends, models, elements.

import { runSteps, STEP_SIZE, type Steps } from '../lib/steps.ts';
import { compileSteps, frontendKey } from '../nftables/compile/compile-service.ts';
import type { NodeOptions } from '../nftables/compile/node-view.ts';
import { DEFAULT_LIMITS } from '../nftables/plan/budget.ts';
import type { Transition } from '../nftables/plan/transition.ts';
import type { Element } from '../nftables/syntax/element.ts';
import type { Service } from '../services/objects/service.ts';
import type { ValidationIssue } from '../services/objects/validation-issue.ts';
import { ServiceClaims } from './claims/service-claims.ts';
import type { KernelState } from './kernel-state.ts';
import { NODE_OWNER, NodeState, nodeElements } from './node-state.ts';
import { type Refusal, ServedService, type ServiceChange, ServiceChanges } from './service-change.ts';
import { ServiceLimits } from './service-limits.ts';
import type { Store } from './store.ts';

interface ServiceCompilerOptions {
  readonly options: NodeOptions;
  readonly sizes?: PieceSizes | undefined;
  readonly store: Store;
  /** Receives the elements. */
  readonly kernel: Pick<KernelState, 'setElements' | 'slots' | 'countOf' | 'transition'>;
}

/** What is left for later, and how much is done at a time. */
export interface PieceSizes {
  /** A Service with more elements is changed piece by piece. */
  readonly largeService: number;
  /** When more Services change at the same time, they are compiled in several pieces. */
  readonly servicesAtOnce: number;
  /** Elements compiled or replaced in one piece: 10 to 20 ms of work here, and 50 ms in the kernel. */
  readonly piece: number;
  /** The part of a piece that is done even if other Services have changed meanwhile, so that the work ends. */
  readonly minPiece: number;
}

const PIECE_SIZES: PieceSizes = { largeService: 5000, servicesAtOnce: 500, piece: 2500, minPiece: 1000 };

/** A step prepares at most {@link STEP_SIZE} elements, which is much less work than to replace them. */
const PREPARED_PER_STEP = STEP_SIZE / 16;

/** A large Service in progress. */
interface LargeChange {
  readonly change: ServiceChange;
  readonly preparation: Steps<Transition>;
  transition?: Transition;
}

/** Keeps the elements of all Services up to date with the store, when it is asked to. */
export class ServiceCompiler {
  readonly node: NodeState;
  readonly changes = new ServiceChanges();
  readonly limits = new ServiceLimits();
  readonly #sizes: PieceSizes;
  readonly #store: Store;
  readonly #kernel: ServiceCompilerOptions['kernel'];
  readonly claims = new ServiceClaims();
  readonly #refused = new Map<string, string>();
  /** The Services that are left for later pieces. Until then they keep the frontends that they have. */
  readonly #queue = new Set<string>();
  #large: LargeChange | undefined;

  constructor({ options, sizes = PIECE_SIZES, store, kernel }: ServiceCompilerOptions) {
    this.#sizes = sizes;
    this.#store = store;
    this.#kernel = kernel;
    this.node = new NodeState(options, store);
    this.limits.setLimits(options.limits ?? DEFAULT_LIMITS);
  }

  setOptions(options: NodeOptions): void {
    this.node.setOptions(options);
    this.limits.setLimits(options.limits ?? DEFAULT_LIMITS);
    this.#store.touch(this.#store.services.keys());
  }

  /** Services that are partly in the kernel. */
  get inProgress(): readonly ServiceChange[] {
    return this.#large === undefined ? [] : [this.#large.change];
  }

  /** Whether some Services are left for later pieces. */
  get hasMore(): boolean {
    return this.#queue.size > 0 || this.#large !== undefined;
  }

  /** Recompiles everything that changed. */
  *compileAll(): Steps<void> {
    do {
      yield* this.#store.searchSteps();
      const limited = yield* this.#applyLimits(this.#takeTouched());
      if (this.#large !== undefined) limited.add(this.#large.change.key);
      yield* this.#compileNow(new Set([...limited, ...this.#queue]));
    } while (this.#store.isTouched);
  }

  /**
   * Recompiles what changed, except large Services and large numbers of Services, which follow in pieces: one with this
   * call, and the others with the next ones.
   */
  *compilePiece(): Steps<void> {
    yield* this.#store.searchSteps();
    const touched = yield* this.#applyLimits(this.#takeTouched());
    const now = new Set<string>();
    for (const key of touched) {
      const isLater = touched.size > this.#sizes.servicesAtOnce || this.#isLarge(key);
      // Services that exchange frontends change together.
      const others = isLater ? this.claims.extend(this.#claiming(key)) : [];
      for (const affected of others) now.add(affected);
      if (!isLater || now.has(key)) now.add(key);
      else this.#queue.add(key);
      yield;
    }
    yield* this.#compileNow(now);
    yield* this.#continueQueue();
  }

  /** Recompiles up to `limit` Services whose endpoints have arrived. Returns whether others are left. */
  compileArrived(limit: number): boolean {
    this.#updateNode();
    const touched = this.#store.takeTouchedWithSlices(limit);
    const limited = runSteps(this.#applyLimits(touched));
    const now = new Set([...limited].filter((key) => !this.#isLarge(key)));
    for (const key of limited) if (!now.has(key)) this.#queue.add(key);
    runSteps(this.#compileNow(now));
    return touched.size === limit;
  }

  /** Removes a Service that the kernel refused. */
  refuse({ service, reason }: Refusal): void {
    this.#refused.set(service, reason);
    runSteps(this.#compileNow(new Set([service])));
  }

  /** Lets the next compilation try the refused Services again. */
  retryRefused(): void {
    this.#store.touch(this.#refused.keys());
  }

  refusals(): Refusal[] {
    return [...this.#refused].map(([service, reason]) => ({ service, reason }));
  }

  /** The issues of all objects, with those that only this node can find. The same list if none changed. */
  issues(): readonly ValidationIssue[] {
    return this.node.issues(this.claims.issues());
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
    const { name, zone } = this.node.view;
    return new ServedService({
      service,
      slices: this.#store.slicesOf(key),
      node: { nodeName: name, zone },
      owns: (frontend) => this.claims.owns(frontendKey(frontend), key),
    });
  }

  /** The changed Services. If the node changed, too, all Services are to be compiled later. */
  #takeTouched(): Set<string> {
    this.#updateNode();
    const touched = this.#store.takeTouched();
    for (const key of touched) this.#refused.delete(key);
    return touched;
  }

  #updateNode(): void {
    if (!this.#store.takeNodeTouched()) return;
    const affectsAllServices = this.node.update();
    this.#kernel.setElements(NODE_OWNER, nodeElements(this.node.view));
    if (affectsAllServices) for (const key of this.#store.services.keys()) this.#queue.add(key);
  }

  /** Counts what these Services need. Returns them, and those that are served differently by this. */
  *#applyLimits(touched: ReadonlySet<string>): Steps<Set<string>> {
    const { nodeName } = this.node.options;
    for (const key of touched) {
      const slices = [...this.#store.slicesOf(key)];
      this.limits.update(key, this.#store.services.get(key), { slices, nodeName });
      yield;
    }
    return new Set([...touched, ...this.limits.settle()]);
  }

  #isLarge(key: string): boolean {
    return Math.max(this.limits.elementsOf(key), this.#kernel.countOf(key)) > this.#sizes.largeService;
  }

  /** The Service without what exceeds a limit. */
  #serviceOf(key: string): Service | undefined {
    const service = this.#store.services.get(key);
    return service === undefined ? undefined : this.limits.effective(service);
  }

  #claiming(key: string): Parameters<ServiceClaims['claim']>[0] {
    const served = this.#refused.has(key) ? undefined : this.#serviceOf(key);
    return { key, stored: this.#store.services.get(key), served };
  }

  /** Compiles these Services, and those that win or lost a frontend, after the claims of all are known. */
  *#compileNow(keys: ReadonlySet<string>): Steps<void> {
    const affected = new Set(keys);
    for (const key of affected) {
      for (const other of this.claims.claim(this.#claiming(key))) affected.add(other);
      yield;
    }
    for (const key of affected) {
      // It changed meanwhile, and its limits are not known yet: it is compiled the next time.
      if (this.#store.isTouchedService(key)) continue;
      if (this.#large?.change.key === key) this.#stopLarge();
      this.#queue.delete(key);
      const change = this.currentState(key);
      this.#kernel.setElements(key, yield* this.#elementsOf(change));
      this.changes.record(change);
      yield;
    }
  }

  *#elementsOf(change: ServiceChange): Steps<Element[]> {
    if (change.state !== 'served') return [];
    yield* change.keepModel();
    const { key, service, ports } = change;
    return yield* compileSteps(service, ports, {
      node: this.node.view,
      owns: (frontend) => this.claims.owns(frontend, key),
      isInUse: (clusterIp) => this.#store.clusterIpUses.isInUse(clusterIp),
      slots: (object, frontend) => this.#kernel.slots(object, frontend),
    });
  }

  /** Does one piece of the queue. */
  *#continueQueue(): Steps<void> {
    let size = 0;
    const isOver = () => size >= this.#sizes.piece || (size >= this.#sizes.minPiece && this.#store.isTouched);
    while (this.hasMore && !isOver()) {
      if (this.#large !== undefined) size += this.#continueLarge(this.#large, this.#sizes.piece - size);
      else size += yield* this.#startNext();
      yield;
    }
  }

  /** Returns the number of elements that it replaced, or as many as would have taken the same time. */
  *#startNext(): Steps<number> {
    const [key] = this.#queue;
    if (key === undefined) return 0;
    this.#queue.delete(key);
    if (this.#store.isTouchedService(key)) return 1;
    if (this.#isLarge(key)) {
      const change = this.currentState(key);
      this.#large = { change, preparation: this.#prepare(change) };
      return 0;
    }
    const before = this.#kernel.countOf(key);
    yield* this.#compileNow(new Set([key]));
    return Math.max(before, this.#kernel.countOf(key));
  }

  *#prepare(change: ServiceChange): Steps<Transition> {
    const elements = yield* this.#elementsOf(change);
    return yield* this.#kernel.transition(change.key, elements);
  }

  #continueLarge(large: LargeChange, limit: number): number {
    if (large.transition === undefined) {
      const { done, value } = large.preparation.next();
      if (done === true) large.transition = value;
      return PREPARED_PER_STEP;
    }
    const replaced = large.transition.advance(limit);
    if (!large.transition.isDone) return replaced;
    this.changes.record(large.change);
    this.#large = undefined;
    // Others get the frontends that it gave up.
    const { key } = large.change;
    if (!this.#queue.has(key)) this.#store.touch(this.claims.claim(this.#claiming(key)));
    return replaced;
  }

  /** What has been replaced stays; the Service is then compiled again. */
  #stopLarge(): void {
    this.#large?.transition?.stop();
    this.#large = undefined;
  }
}
