// Decides which losses are held, restores what was applied just before a mass loss, and ends the hold.

import type { Store } from '../../engine/store.ts';
import type { Family } from '../../net/family.ts';
import { frontendKey } from '../../nftables/compile/compile-service.ts';
import { allFrontends } from '../../services/model/frontends.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import type { KindMap } from '../../services/objects/kinds.ts';
import type { ReadResult } from '../../services/objects/read.ts';
import type { Service } from '../../services/objects/service.ts';
import type { Sink } from '../../services/objects/sink.ts';
import { type AppliedLoss, AppliedLosses } from './applied-losses.ts';
import { type Assessment, assessLoss, LOSS_WINDOW_MS, type LossLimits, SETTLE_MS } from './assess-loss.ts';
import { type HeldObject, HeldObjects } from './held-objects.ts';
import { RecentLosses } from './recent-losses.ts';

/** Why a hold ended: the Services came back, the grace period was over, or an operator accepted the loss. */
export type HoldEnd = 'recovered' | 'expired' | 'accepted';

export interface HoldOptions {
  readonly sink: Sink;
  /** The objects that the sink has. */
  readonly store: Pick<Store, 'services' | 'serviceCidrs' | 'current' | 'slice' | 'slices'>;
  readonly limits: () => LossLimits;
  /** Milliseconds. */
  readonly now: () => number;
  /** A hold began, when `lost` of `before` Services were lost. */
  readonly onHold?: (count: { readonly lost: number; readonly before: number }) => void;
  /** A hold ended: `applied` is the number of Services whose loss was applied. */
  readonly onEnd?: (end: HoldEnd, applied: number) => void;
}

/** A loss before it is decided whether it is held. */
export type Loss = Omit<HeldObject, 'dueAt'>;

/** What a Service can lose: itself, or its last usable endpoint of a family. */
type Subject = 'services' | Family;

export class Hold {
  readonly held = new HeldObjects();
  readonly #options: HoldOptions;
  readonly #applied = new AppliedLosses();
  readonly #lost = { services: new RecentLosses(), ip: new RecentLosses(), ip6: new RecentLosses() };
  /** The Service of each frontend of a held Service. */
  readonly #frontends = new Map<string, string>();
  #since: number | undefined;
  /** Most of the lost Services are back. */
  #isRecovering = false;
  /** The number of Services whose loss was applied during the hold. */
  #expired = 0;

  constructor(options: HoldOptions) {
    this.#options = options;
  }

  /** When it began; `undefined` while nothing but suspicious losses are held. */
  get since(): number | undefined {
    return this.#since;
  }

  /** Counts the losses of these Services, and begins to hold if they are too many. `present`: those that have not lost it. */
  assess(subject: Subject, services: Iterable<string>, present: number): Assessment {
    const { limits, now, onHold } = this.#options;
    for (const service of services) this.#lost[subject].add(service, now());
    const lost = this.#lost[subject].count(now());
    const assessment = assessLoss({ lost, present }, limits());
    if (assessment !== 'mass' || this.#since !== undefined) return assessment;
    this.#since = now();
    this.#expired = 0;
    this.#isRecovering = false;
    const dueAt = this.#since + limits().gracePeriodMs;
    for (const object of this.held.all()) this.held.set({ ...object, dueAt });
    this.#restore();
    onHold?.({ lost, before: lost + present });
    return assessment;
  }

  /** Holds losses if there is reason to, and returns whether it did. Otherwise remembers them: the caller applies them. */
  hold(losses: readonly Loss[], assessment: Assessment): boolean {
    if (this.#since === undefined && assessment !== 'suspicious') {
      for (const loss of losses) this.remember(loss);
      return false;
    }
    const { limits, now } = this.#options;
    const dueAt = now() + (this.#since === undefined ? SETTLE_MS : limits().gracePeriodMs);
    if (this.#since !== undefined) this.#restore();
    for (const loss of losses) this.#holdOne({ ...loss, dueAt });
    return true;
  }

  /** Keeps the present version of an object for a while, to restore it if its change turns out to be part of a mass loss. */
  remember({ kind, key, service }: Loss): void {
    const { store, now } = this.#options;
    const before = store.current(kind, key);
    if (before !== undefined) this.#applied.add({ kind, key, service, before, at: now() });
  }

  /** The source has the object: neither held nor to be restored. */
  release(object: Pick<Loss, 'kind' | 'key'>): void {
    this.held.delete(object);
    this.#applied.delete(object);
    if (object.kind === 'Service') this.#lost.services.delete(object.key);
    if (this.held.ofKind('Service').size === 0) this.#frontends.clear();
  }

  /** A Service has endpoints of a family again. */
  regained(family: Family, service: string): void {
    this.#lost[family].delete(service);
  }

  /** Applies the loss of held Services whose address or node port this Service has: it must not wait for them. */
  releaseFrontends(service: Service): void {
    if (this.#frontends.size === 0) return;
    for (const frontend of allFrontends(service)) {
      const owner = this.#frontends.get(frontendKey(frontend));
      const object = owner === undefined ? undefined : this.held.get('Service', owner);
      if (object !== undefined && object.key !== service.key) this.apply(object);
    }
  }

  /** Applies a loss, whether it is held or not. */
  apply(loss: Loss): void {
    const { kind, key, next } = loss;
    const { sink } = this.#options;
    this.held.delete(loss);
    if (next === undefined) sink.remove(kind, key);
    else sink.put(kind, next as ReadResult<KindMap[typeof kind]>);
  }

  /** Applies losses that have been held long enough. */
  tick(): void {
    const now = this.#options.now();
    const servicesBefore = this.held.serviceCount;
    for (const object of this.held.all().filter(({ dueAt }) => dueAt <= now)) {
      // A suspicious loss still counts, and can be restored.
      if (this.#since === undefined) this.remember(object);
      this.apply(object);
    }
    this.#expired += servicesBefore - this.held.serviceCount;
    if (this.#since !== undefined && this.held.size === 0)
      this.#end(this.#isRecovering ? 'recovered' : 'expired', this.#expired);
  }

  /** Applies all held losses. */
  accept(): void {
    const { serviceCount } = this.held;
    for (const object of this.held.all()) this.apply(object);
    this.#end('accepted', serviceCount);
  }

  /**
   * Something came back. The hold ends when nothing is held any more. When fewer Services than a mass loss needs are still
   * missing, they have the time of the window to come back, too.
   */
  checkRecovery(): void {
    if (this.#since !== undefined && this.held.size === 0) this.#end('recovered', this.#expired);
    const { limits, now } = this.#options;
    const isPartlyBack = this.#since !== undefined && this.held.serviceCount < limits().minServices;
    if (!isPartlyBack || this.#isRecovering) return;
    this.#isRecovering = true;
    const latest = now() + LOSS_WINDOW_MS;
    for (const object of this.held.all()) this.held.set({ ...object, dueAt: Math.min(object.dueAt, latest) });
  }

  /** Restores what was lost before it became a part of the hold. */
  #restore(): void {
    const { store, sink, limits, now } = this.#options;
    const dueAt = now() + limits().gracePeriodMs;
    for (const { kind, key, service, before } of this.#applied.take(now(), (loss) => this.#isLost(loss))) {
      const held = this.held.get(kind, key);
      const next = held === undefined ? store.current(kind, key) : held.next;
      sink.put(kind, before as ReadResult<KindMap[typeof kind]>);
      this.#holdOne({ kind, key, service, next, dueAt });
    }
  }

  /** Whether the Service is still without it. ServiceCIDRs belong to every mass loss. */
  #isLost({ kind, service, before }: AppliedLoss): boolean {
    if (kind === 'Service') return this.#lost.services.has(service);
    if (kind === 'EndpointSlice') return this.#lost[(before.value as EndpointSlice).family].has(service);
    return true;
  }

  #end(end: HoldEnd, applied: number): void {
    const wasHolding = this.#since !== undefined;
    this.#since = undefined;
    this.#applied.clear();
    this.#frontends.clear();
    for (const lost of Object.values(this.#lost)) lost.clear();
    if (wasHolding) this.#options.onEnd?.(end, applied);
  }

  #holdOne(object: HeldObject): void {
    this.held.set(object);
    const service = object.kind === 'Service' ? this.#options.store.services.get(object.key) : undefined;
    if (service === undefined) return;
    for (const frontend of allFrontends(service)) this.#frontends.set(frontendKey(frontend), object.key);
  }
}
