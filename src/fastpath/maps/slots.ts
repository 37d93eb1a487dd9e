// Assigns slots to backends. The backend of a slot never changes, and a freed slot is reused only after a delay.

import type { BackendValue } from './entries.ts';
import { MAX_BACKENDS } from './layout.ts';

/** An endpoint with the path to its pod: the content of a slot but for generation and Service port. */
export type ResolvedBackend = Omit<BackendValue, 'gen' | 'svc'>;

/** A slot in use. */
export interface Slot {
  readonly index: number;
  readonly backend: BackendValue;
  /** In milliseconds: when the last frontend stopped referring to it; `undefined` while one does. */
  readonly idleSince: number | undefined;
}

/** The path to a pod, which may change while there are flows. Everything else identifies the backend. */
type BackendPath = Pick<BackendValue, 'flags' | 'l3if' | 'mtu' | 'mac' | 'gatewayMac'>;

/** A program that looked up the slot may still be using it. */
const REUSE_DELAY_MS = 1000;
/** Reserved: stores the highest generation, so that a restart does not assign one twice. */
export const GENERATION_SLOT = 0;

/** All times are milliseconds. */
export class Slots {
  readonly #used = new Map<number, Slot>();
  readonly #byBackend = new Map<string, number>();
  /** Free slots, in the order in which they were freed. */
  readonly #free: { index: number; since: number }[];
  #generation: number;

  /** `installed` are the backends in the kernel; all other slots count as freed at `freedAt`. */
  constructor(installed: ReadonlyMap<number, BackendValue>, freedAt: number) {
    this.#generation = installed.get(GENERATION_SLOT)?.svc ?? 0;
    for (const [index, backend] of installed) {
      if (backend.gen === 0) continue;
      this.#generation = Math.max(this.#generation, backend.gen);
      this.#insert({ index, backend, idleSince: freedAt });
    }
    const indexes = Array.from({ length: MAX_BACKENDS }, (_, i) => i).filter((index) => index !== GENERATION_SLOT);
    this.#free = indexes.filter((index) => !this.#used.has(index)).map((index) => ({ index, since: freedAt }));
  }

  /** The highest that was ever assigned. */
  get generation(): number {
    return this.#generation;
  }

  get used(): Iterable<Slot> {
    return this.#used.values();
  }

  get(index: number): Slot | undefined {
    return this.#used.get(index);
  }

  /** The current slot of a backend of a Service port. */
  find(svc: number, backend: ResolvedBackend): number | undefined {
    return this.#byBackend.get(backendKey(svc, backend));
  }

  /** Assigns a slot; returns `undefined` if none is free and past the delay. */
  allocate(backend: ResolvedBackend, { svc, now }: { svc: number; now: number }): Slot | undefined {
    const [first] = this.#free;
    if (first === undefined || now - first.since < REUSE_DELAY_MS) return undefined;
    this.#free.shift();
    this.#generation++;
    const slot: Slot = {
      index: first.index,
      backend: { ...backend, svc, gen: this.#generation },
      idleSince: undefined,
    };
    this.#insert(slot);
    return slot;
  }

  /** Updates the path to the pod. Returns the slot if that changed it. */
  updatePath(index: number, { flags, l3if, mtu, mac, gatewayMac }: BackendPath): Slot | undefined {
    const slot = this.#used.get(index);
    if (slot === undefined || pathKey({ flags, l3if, mtu, mac, gatewayMac }) === pathKey(slot.backend))
      return undefined;
    const backend = { ...slot.backend, flags, l3if, mtu, mac, gatewayMac };
    const changed = { ...slot, backend };
    this.#used.set(index, changed);
    return changed;
  }

  /** Records whether a frontend refers to the slot. */
  setReferenced(index: number, { isReferenced, now }: { isReferenced: boolean; now: number }): void {
    const slot = this.#used.get(index);
    if (slot === undefined || isReferenced === (slot.idleSince === undefined)) return;
    this.#used.set(index, { ...slot, idleSince: isReferenced ? undefined : now });
  }

  free(index: number, now: number): void {
    const slot = this.#used.get(index);
    if (slot === undefined) return;
    this.#used.delete(index);
    this.#byBackend.delete(backendKey(slot.backend.svc, slot.backend));
    this.#free.push({ index, since: now });
  }

  #insert(slot: Slot): void {
    this.#used.set(slot.index, slot);
    this.#byBackend.set(backendKey(slot.backend.svc, slot.backend), slot.index);
  }
}

function backendKey(svc: number, backend: ResolvedBackend): string {
  const { address, port, protocol, ifindex } = backend;
  return [svc, address, port, protocol, ifindex].join(' ');
}

function pathKey({ flags, l3if, mtu, mac, gatewayMac }: BackendPath): string {
  return [flags, l3if, mtu, mac, gatewayMac].join(' ');
}
