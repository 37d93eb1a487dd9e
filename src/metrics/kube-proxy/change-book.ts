// Which changes wait for a sync, and when the changes behind them happened.

import { FAMILY_TRAITS } from '../../net/family.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';

/** A change of pods that an EndpointSlice names as the cause of its own. */
export interface Trigger {
  readonly label: 'IPv4' | 'IPv6';
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What one sync brings in. */
export interface Batch {
  readonly services: ReadonlySet<string>;
  readonly triggers: readonly Trigger[];
}

/** While syncs fail changes go on: so many triggers are remembered, and the others give no sample. */
const MOST_TRIGGERS = 10_000;

/** Changes are pending until a sync takes them up, and come back when it fails. */
export class ChangeBook {
  readonly #startedAt: number;
  #pending = emptyPage();
  #underWay = emptyPage();
  #askedAt: number;

  /** `startedAt`: triggers from before, in milliseconds since 1970, say nothing about this process. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
    this.#askedAt = startedAt;
  }

  /** When a sync was last asked for. */
  get askedAt(): number {
    return this.#askedAt;
  }

  get pendingServices(): number {
    return this.#pending.changedServices.size;
  }

  get pendingSlices(): number {
    return this.#pending.slices;
  }

  asked(at: number): void {
    this.#askedAt = at;
  }

  serviceChanged(key: string): void {
    this.#pending.changedServices.add(key);
    this.#pending.touched.add(key);
  }

  /** A slice of this Service is new, has changed, or is gone. */
  sliceChanged(service: string | undefined): void {
    this.#pending.slices++;
    if (service !== undefined) this.#pending.touched.add(service);
  }

  /** Notes what made a slice change, unless the slice before it (`former`) had named the same. */
  trigger({ service, family, triggeredAt }: EndpointSlice, former: EndpointSlice | undefined): void {
    if (triggeredAt <= this.#startedAt || triggeredAt === former?.triggeredAt) return;
    if (this.#pending.triggerCount >= MOST_TRIGGERS) return;
    this.#pending.triggerCount++;
    const noted = this.#pending.triggers.get(service) ?? [];
    noted.push({ label: FAMILY_TRAITS[family].label, at: triggeredAt });
    this.#pending.triggers.set(service, noted);
  }

  /** A slice of the Service is gone: what it waited for will not be seen in it. */
  forgetTriggers(service: string): void {
    this.#pending.triggerCount -= this.#pending.triggers.get(service)?.length ?? 0;
    this.#pending.triggers.delete(service);
  }

  /** A sync takes up everything that is pending. */
  checkOut(): void {
    this.#underWay = this.#pending;
    this.#pending = emptyPage();
  }

  /** The sync succeeded. */
  settle(): Batch {
    const { touched, triggers } = this.#underWay;
    this.#underWay = emptyPage();
    return { services: touched, triggers: [...triggers.values()].flat() };
  }

  /** The sync failed: its changes are pending again. */
  giveBack(): void {
    const [before, after] = [this.#underWay, this.#pending];
    for (const key of after.changedServices) before.changedServices.add(key);
    for (const key of after.touched) before.touched.add(key);
    for (const [service, triggers] of after.triggers) {
      before.triggers.set(service, [...(before.triggers.get(service) ?? []), ...triggers]);
    }
    before.slices += after.slices;
    before.triggerCount += after.triggerCount;
    this.#pending = before;
    this.#underWay = emptyPage();
  }
}

function emptyPage() {
  return {
    /** Services whose own object changed. */
    changedServices: new Set<string>(),
    /** Services that changed, or whose slices did. */
    touched: new Set<string>(),
    slices: 0,
    triggers: new Map<string, Trigger[]>(),
    triggerCount: 0,
  };
}
