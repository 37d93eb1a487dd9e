// Which changes wait for a sync, and when the changes behind them happened.

import { FAMILY_TRAITS } from '../../net/family.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';

/** A change of pods that an EndpointSlice names as the cause of its own. */
export interface Trigger {
  readonly label: 'IPv4' | 'IPv6';
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** While syncs fail changes go on: so many triggers are remembered, and the others give no sample. */
const MAX_TRIGGERS = 10_000;

/** Changes are pending until a sync takes them up, and come back when it fails. */
export class PendingChanges {
  readonly #startedAt: number;
  #pending = emptyChanges();
  #inFlight = emptyChanges();
  #lastQueuedAt: number;

  /** `startedAt`: triggers from before, in milliseconds since 1970, say nothing about this process. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
    this.#lastQueuedAt = startedAt;
  }

  /** When a sync was last asked for. */
  get lastQueuedAt(): number {
    return this.#lastQueuedAt;
  }

  get pendingServices(): number {
    return this.#pending.services.size;
  }

  get pendingSlices(): number {
    return this.#pending.slices;
  }

  queued(at: number): void {
    this.#lastQueuedAt = at;
  }

  serviceChanged(key: string): void {
    this.#pending.services.add(key);
  }

  /** A slice is new, has changed, or is gone. */
  sliceChanged(): void {
    this.#pending.slices++;
  }

  /** Notes what made a slice change, unless the slice before it (`former`) had named the same. */
  recordTrigger({ service, family, lastChangeTriggerTime }: EndpointSlice, previous: EndpointSlice | undefined): void {
    if (lastChangeTriggerTime <= this.#startedAt || lastChangeTriggerTime === previous?.lastChangeTriggerTime) return;
    if (this.#pending.triggerCount >= MAX_TRIGGERS) return;
    this.#pending.triggerCount++;
    const triggers = this.#pending.triggers.get(service) ?? [];
    triggers.push({ label: FAMILY_TRAITS[family].label, at: lastChangeTriggerTime });
    this.#pending.triggers.set(service, triggers);
  }

  /** A slice of the Service is gone: what it waited for will not be seen in it. */
  dropTriggers(service: string): void {
    this.#pending.triggerCount -= this.#pending.triggers.get(service)?.length ?? 0;
    this.#pending.triggers.delete(service);
  }

  /** A sync takes up everything that is pending. */
  beginSync(): void {
    this.#inFlight = this.#pending;
    this.#pending = emptyChanges();
  }

  /** The sync succeeded. Returns what triggered its changes. */
  commit(): Trigger[] {
    const { triggers } = this.#inFlight;
    this.#inFlight = emptyChanges();
    return [...triggers.values()].flat();
  }

  /** The sync failed: its changes are pending again. */
  rollback(): void {
    const [before, after] = [this.#inFlight, this.#pending];
    for (const key of after.services) before.services.add(key);
    for (const [service, triggers] of after.triggers) {
      before.triggers.set(service, [...(before.triggers.get(service) ?? []), ...triggers]);
    }
    before.slices += after.slices;
    before.triggerCount += after.triggerCount;
    this.#pending = before;
    this.#inFlight = emptyChanges();
  }
}

function emptyChanges() {
  return {
    services: new Set<string>(),
    slices: 0,
    triggers: new Map<string, Trigger[]>(),
    triggerCount: 0,
  };
}
