// Holds back a sudden loss of many Services, and passes on everything else.
//
//     source ──► LossGuard ──► sink
//                  │  a loss of a Service, or of its last usable endpoint:
//                  ├─ normal ──────► applied immediately, remembered for 30 s
//                  ├─ suspicious ──► held for 2 s
//                  └─ mass ────────► held for the grace period; what was applied in the last 30 s is restored

import { FAMILIES } from '../../net/family.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import type { Kind, KindMap } from '../../services/objects/kinds.ts';
import type { ReadResult } from '../../services/objects/read.ts';
import type { Service } from '../../services/objects/service.ts';
import type { Sink } from '../../services/objects/sink.ts';
import type { Assessment } from './assess-loss.ts';
import type { AnyResult, HeldObject } from './held-objects.ts';
import { Hold, type HoldOptions, type Loss } from './hold.ts';
import { type Unit, UsableEndpoints, usableCount } from './usable-endpoints.ts';

type Listed = ReadonlyMap<string, AnyResult>;

/**
 * Keeps lost objects exactly as they were. Everything else is passed on immediately, also during a hold: new and changed objects,
 * and losses that leave a Service with endpoints. A Service that comes back, or whose frontend another Service takes, is not
 * held any more. Has no timer: call {@link tick} every second while {@link hasHeld}.
 */
export class LossGuard implements Sink {
  readonly #options: HoldOptions;
  readonly #hold: Hold;
  /** As the source says, so without the endpoints that are held. */
  #usable = new UsableEndpoints();

  constructor(options: HoldOptions) {
    this.#options = options;
    this.#hold = new Hold(options);
  }

  /** When the hold began; `undefined` without one. */
  get holdingSince(): number | undefined {
    return this.#hold.since;
  }

  /** The number of Services with a held loss. */
  get heldServices(): number {
    return this.#hold.since === undefined ? 0 : this.#hold.held.serviceCount;
  }

  /** Whether a loss waits for {@link tick}. */
  get hasHeld(): boolean {
    return this.#hold.held.size > 0;
  }

  /** Applies losses that have been held long enough. */
  tick(): void {
    this.#hold.tick();
  }

  /** Applies all held losses now. Returns the number of Services. */
  accept(): number {
    const services = this.heldServices;
    this.#hold.accept();
    return services;
  }

  preview<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#options.sink.preview?.(kind, object);
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    if (kind === 'EndpointSlice') this.#changeSlice(object.key, object);
    else if (kind === 'Service' && object.value === undefined) this.#loseService(object.key, object);
    else this.#putPresent(kind, object);
  }

  remove(kind: Kind, key: string): void {
    if (kind === 'EndpointSlice') this.#changeSlice(key, undefined);
    else if (kind === 'Service') this.#loseService(key, undefined);
    else if (kind === 'ServiceCIDR') this.#loseServiceCidr(key);
    else this.#options.sink.remove(kind, key);
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    const listed: Listed = new Map(objects.map((object) => [object.key, object]));
    if (kind === 'Service') this.#replaceServices(listed);
    if (kind === 'EndpointSlice') this.#replaceSlices(listed);
    if (kind === 'ServiceCIDR') this.#replaceServiceCidrs(listed);
    this.#updateHeld(kind, listed);
    this.#options.sink.replace(kind, this.#withHeld(kind, objects));
    this.#hold.checkRecovery();
  }

  /** A list of the source, with held objects as they were. */
  #withHeld<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): readonly ReadResult<KindMap[K]>[] {
    const held = this.#hold.held.ofKind(kind);
    if (held.size === 0) return objects;
    const kept = [...held.keys()].flatMap((key) => this.#options.store.current(kind, key) ?? []);
    return [...objects.filter(({ key }) => !held.has(key)), ...(kept as ReadResult<KindMap[K]>[])];
  }

  /** A Service or ServiceCIDR is present, or a Node changed. */
  #putPresent<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#hold.release({ kind, key: object.key });
    if (kind === 'Service' && object.value !== undefined) this.#hold.releaseFrontends(object.value as Service);
    this.#options.sink.put(kind, object);
    this.#hold.checkRecovery();
  }

  #loseService(key: string, next: AnyResult | undefined): void {
    const { held } = this.#hold;
    const before = held.get('Service', key);
    if (before !== undefined) {
      held.set({ ...before, next });
      return;
    }
    const { services } = this.#options.store;
    const loss: Loss = { kind: 'Service', key, service: key, next };
    const present = services.size - held.ofKind('Service').size - 1;
    const isHeld = services.has(key) && this.#hold.hold([loss], this.#hold.assess('services', [key], present));
    if (!isHeld) this.#hold.apply(loss);
  }

  #loseServiceCidr(key: string): void {
    const loss: Loss = { kind: 'ServiceCIDR', key, service: '', next: undefined };
    const isKnown = this.#options.store.serviceCidrs.has(key);
    if (!isKnown || !this.#hold.hold([loss], 'normal')) this.#hold.apply(loss);
  }

  #changeSlice(key: string, next: AnyResult | undefined): void {
    const { store } = this.#options;
    const held = this.#hold.held.get('EndpointSlice', key);
    const nextSlice = next?.value as EndpointSlice | undefined;
    const isEmpty = usableCount(nextSlice) === 0;
    const before = held === undefined ? store.slice(key) : (held.next?.value as EndpointSlice | undefined);
    if (!isEmpty) this.#hold.release({ kind: 'EndpointSlice', key });
    const { lost, gained } = this.#usable.change(before, nextSlice);
    for (const unit of gained) this.#regainEndpoints(unit);
    const loss: Loss = { kind: 'EndpointSlice', key, service: before?.service ?? '', next };
    const assessments = lost.map((unit) => this.#assessEndpoints([unit]));
    const isHeld = isEmpty && assessments.some((assessment) => this.#hold.hold([loss], assessment));
    if (!isHeld) this.#changeSliceOfPresent(loss, nextSlice);
    if (gained.length > 0) this.#hold.checkRecovery();
  }

  /** A slice of a Service that has not lost its last endpoint by this change. */
  #changeSliceOfPresent(loss: Loss, nextSlice: EndpointSlice | undefined): void {
    const { held } = this.#hold;
    const before = held.get(loss.kind, loss.key);
    const isStillLost =
      usableCount(nextSlice) === 0 && (nextSlice === undefined || nextSlice.service === before?.service);
    if (before !== undefined && isStillLost) {
      held.set({ ...before, next: loss.next });
      return;
    }
    const [endpoints, next] = [usableCount(this.#options.store.slice(loss.key)), usableCount(nextSlice)];
    if (next < endpoints) this.#hold.remember(loss);
    else if (next > 0) this.#hold.release(loss);
    this.#hold.apply(loss);
  }

  /** A Service has an endpoint again: the rest of its losses is real. */
  #regainEndpoints({ family, service }: Unit): void {
    this.#hold.regained(family, service);
    for (const held of this.#hold.held.slicesOf(service)) {
      if (this.#options.store.slice(held.key)?.family === family) this.#hold.apply(held);
    }
  }

  #heldSlices(): HeldObject[] {
    return [...this.#hold.held.ofKind('EndpointSlice').values()];
  }

  /** Counts units that have just lost their last usable endpoint. */
  #assessEndpoints(units: readonly Unit[]): Assessment {
    const assessments = FAMILIES.map((family) => {
      const services = units.filter((unit) => unit.family === family).map(({ service }) => service);
      return services.length === 0 ? 'normal' : this.#hold.assess(family, services, this.#usable.services(family));
    });
    return assessments.find((assessment) => assessment !== 'normal') ?? 'normal';
  }

  #replaceServices(listed: Listed): void {
    const { services } = this.#options.store;
    const present = [...listed.values()].filter(({ value }) => value !== undefined);
    for (const { key, value } of present) {
      this.#hold.release({ kind: 'Service', key });
      this.#hold.releaseFrontends(value as Service);
    }
    const isLost = (key: string) => listed.get(key)?.value === undefined && !this.#hold.held.get('Service', key);
    const lost = [...services.keys()].filter(isLost);
    if (lost.length === 0) return;
    const assessment = this.#hold.assess('services', lost, present.length);
    const losses = lost.map((key): Loss => ({ kind: 'Service', key, service: key, next: listed.get(key) }));
    this.#hold.hold(losses, assessment);
  }

  #replaceSlices(listed: Listed): void {
    const { store } = this.#options;
    const slices = [...listed.values()].flatMap(({ value }) => (value === undefined ? [] : [value as EndpointSlice]));
    const [before, usable] = [this.#usable, new UsableEndpoints(slices)];
    this.#usable = usable;
    for (const { family, service } of usable.missingIn(before)) this.#hold.regained(family, service);
    for (const slice of slices)
      if (usableCount(slice) > 0) this.#hold.release({ kind: 'EndpointSlice', key: slice.key });
    for (const held of this.#heldSlices()) {
      const slice = store.slice(held.key);
      if (slice === undefined || usable.has(slice)) this.#hold.release(held);
    }
    const lost = before.missingIn(usable);
    if (lost.length === 0) return;
    const assessment = this.#assessEndpoints(lost);
    const units = new Set(lost.map(({ family, service }) => `${family} ${service}`));
    const losses = [...store.slices()]
      .filter((slice) => units.has(`${slice.family} ${slice.service}`) && usableCount(slice) > 0)
      .map(({ key, service }): Loss => ({ kind: 'EndpointSlice', key, service, next: listed.get(key) }));
    // A slice that now has endpoints of another Service is not a loss.
    const isEmpty = ({ next }: Loss) => usableCount(next?.value as EndpointSlice | undefined) === 0;
    this.#hold.hold(losses.filter(isEmpty), assessment);
  }

  #replaceServiceCidrs(listed: Listed): void {
    for (const key of listed.keys()) this.#hold.release({ kind: 'ServiceCIDR', key });
    const lost = [...this.#options.store.serviceCidrs.keys()].filter((key) => listed.get(key)?.value === undefined);
    const losses = lost.map((key): Loss => ({ kind: 'ServiceCIDR', key, service: '', next: listed.get(key) }));
    this.#hold.hold(losses, 'normal');
  }

  #updateHeld(kind: Kind, listed: Listed): void {
    const { held } = this.#hold;
    for (const object of [...held.ofKind(kind).values()]) held.set({ ...object, next: listed.get(object.key) });
  }
}
