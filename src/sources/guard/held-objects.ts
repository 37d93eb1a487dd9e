// Objects whose loss is not applied yet.

import type { Kind, ObjectOf } from '../../services/objects/kinds.ts';
import type { ReadResult } from '../../services/objects/read.ts';

export type AnyResult = ReadResult<ObjectOf>;

export interface HeldObject {
  readonly kind: Kind;
  readonly key: string;
  /** The Service that loses it, `namespace/name`; empty for a ServiceCIDR. */
  readonly service: string;
  /** What the source says of it now; `undefined` if it was deleted. */
  readonly next: AnyResult | undefined;
  /** When the loss is applied. */
  readonly dueAt: number;
}

/** By kind and key. */
export class HeldObjects {
  readonly #byKind: Readonly<Record<Kind, Map<string, HeldObject>>> = {
    Service: new Map(),
    EndpointSlice: new Map(),
    Node: new Map(),
    ServiceCIDR: new Map(),
  };
  /** The held objects of each Service, see {@link idOf}. */
  readonly #services = new Map<string, Set<string>>();

  get size(): number {
    return Object.values(this.#byKind).reduce((sum, { size }) => sum + size, 0);
  }

  /** The number of Services with held objects. */
  get serviceCount(): number {
    return this.#services.size;
  }

  get(kind: Kind, key: string): HeldObject | undefined {
    return this.#byKind[kind].get(key);
  }

  ofKind(kind: Kind): ReadonlyMap<string, HeldObject> {
    return this.#byKind[kind];
  }

  /** The held slices of a Service. */
  slicesOf(service: string): HeldObject[] {
    const ids = this.#services.get(service) ?? [];
    return [...ids].flatMap((key) => this.#byKind.EndpointSlice.get(key) ?? []);
  }

  all(): HeldObject[] {
    return Object.values(this.#byKind).flatMap((objects) => [...objects.values()]);
  }

  set(object: HeldObject): void {
    this.#byKind[object.kind].set(object.key, object);
    if (object.service === '') return;
    const ids = this.#services.get(object.service) ?? new Set();
    this.#services.set(object.service, ids.add(idOf(object)));
  }

  delete({ kind, key }: Pick<HeldObject, 'kind' | 'key'>): void {
    const object = this.#byKind[kind].get(key);
    if (object === undefined) return;
    this.#byKind[kind].delete(key);
    const ids = this.#services.get(object.service);
    ids?.delete(idOf(object));
    if (ids?.size === 0) this.#services.delete(object.service);
  }
}

/** Distinguishes a Service from a slice of the same name. */
function idOf({ kind, key }: HeldObject): string {
  return kind === 'Service' ? `Service ${key}` : key;
}
