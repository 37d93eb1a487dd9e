// Changes that wait for a sync, and their triggers.

import type { Clock } from '../../host/clock.ts';
import { FAMILY_TRAITS } from '../../net/family.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';

/** The change that an EndpointSlice names in `last-change-trigger-time`. */
interface Trigger {
  readonly label: 'IPv4' | 'IPv6';
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Limits the memory while syncs fail; further triggers give no sample. */
const MAX_TRIGGERS = 10_000;

/** Changes are pending until a sync begins, and again if it fails. */
export class PendingChanges {
  readonly #startedAt: number;
  readonly #clock: Pick<Clock, 'wallTime'>;
  #pending = emptyChanges();
  #inFlight = emptyChanges();
  #lastQueuedAt: number;

  /** Triggers before `startedAt`, a time of the clock, are ignored. */
  constructor(startedAt: number, clock: Pick<Clock, 'wallTime'>) {
    this.#startedAt = startedAt;
    this.#clock = clock;
    this.#lastQueuedAt = startedAt;
  }

  /** When a sync was last requested. */
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

  /** A slice was added, changed or removed. */
  sliceChanged(): void {
    this.#pending.slices++;
  }

  /** Records the trigger of a slice, unless the `previous` state of the slice has the same. */
  recordTrigger({ service, family, lastChangeTriggerTime }: EndpointSlice, previous: EndpointSlice | undefined): void {
    const startedAt = this.#clock.wallTime(this.#startedAt);
    if (lastChangeTriggerTime <= startedAt || lastChangeTriggerTime === previous?.lastChangeTriggerTime) return;
    if (this.#pending.triggerCount >= MAX_TRIGGERS) return;
    this.#pending.triggerCount++;
    const triggers = this.#pending.triggers.get(service) ?? [];
    triggers.push({ label: FAMILY_TRAITS[family].label, at: lastChangeTriggerTime });
    this.#pending.triggers.set(service, triggers);
  }

  /** Drops the triggers of a Service, because one of its slices was removed. */
  dropTriggers(service: string): void {
    this.#pending.triggerCount -= this.#pending.triggers.get(service)?.length ?? 0;
    this.#pending.triggers.delete(service);
  }

  /** A sync begins: it includes all pending changes. */
  beginSync(): void {
    this.#inFlight = this.#pending;
    this.#pending = emptyChanges();
  }

  /** The sync succeeded. Returns the triggers of its changes. */
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
