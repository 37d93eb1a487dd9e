// Who has which slot: a slot with flows is never changed, and a freed one rests before it comes back.
import type { BackendValue } from './entries.ts';
import { MAX_BACKENDS } from './layout.ts';

/** A pod on one of its ports, and how it is reached; all that a slot holds but its generation and Service port. */
export type ResolvedBackend = Omit<BackendValue, 'gen' | 'svc'>;

/** A slot in use. */
export interface Slot {
  readonly index: number;
  readonly backend: BackendValue;
  /** In milliseconds: since when no frontend leads to it; `undefined` while one does. */
  readonly idleSince: number | undefined;
}

/** How a pod is reached. It may change under live flows; all else makes it another backend. */
type BackendPath = Pick<BackendValue, 'flags' | 'l3if' | 'mtu' | 'mac' | 'gatewayMac'>;

/** In milliseconds. A program that has looked a slot up may still be at work with it. */
const REUSE_DELAY_MS = 1000;
/** Nobody gets this slot: it remembers the latest generation, for no restart may give one a second time. */
export const GENERATION_SLOT = 0;

export class Slots {
  readonly #used = new Map<number, Slot>();
  readonly #byBackend = new Map<string, number>();
  /** Free slots, those that have been free the longest first, and since when. */
  readonly #free: { index: number; since: number }[];
  #generation: number;

  /** `held` is what the kernel has; every other slot counts as freed at `freedAt`. */
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

  /** The highest that was ever given. */
  get generation(): number {
    return this.#generation;
  }

  get used(): Iterable<Slot> {
    return this.#used.values();
  }

  get(index: number): Slot | undefined {
    return this.#used.get(index);
  }

  /** The slot that this backend of a Service port has already. */
  find(svc: number, backend: ResolvedBackend): number | undefined {
    return this.#byBackend.get(backendKey(svc, backend));
  }

  /** Gives it a slot of its own; `undefined` when none is free and rested. */
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

  /** Takes over how its pod is reached now; the slot where that is news. */
  updatePath(index: number, { flags, l3if, mtu, mac, gatewayMac }: BackendPath): Slot | undefined {
    const slot = this.#used.get(index);
    if (slot === undefined || pathKey({ flags, l3if, mtu, mac, gatewayMac }) === pathKey(slot.backend))
      return undefined;
    const backend = { ...slot.backend, flags, l3if, mtu, mac, gatewayMac };
    const changed = { ...slot, backend };
    this.#used.set(index, changed);
    return changed;
  }

  /** Whether a frontend leads to the slot. */
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
