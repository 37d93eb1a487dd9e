// A source with a state, a guard, and a store behind it, with a clock that only the test moves.

import { Store } from '../../../../src/engine/store.ts';
import { KINDS, type Kind, type KindMap, kindOf } from '../../../../src/services/objects/kinds.ts';
import type { ReadResult } from '../../../../src/services/objects/read.ts';
import type { LossLimits } from '../../../../src/sources/guard/assess-loss.ts';
import { LossGuard } from '../../../../src/sources/guard/loss-guard.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice, UNREADY } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

export const LIMITS: LossLimits = { enabled: true, percent: 50, minServices: 20, gracePeriodMs: 300_000 };

type AnyResult = ReadResult<KindMap[Kind]>;

export class GuardedWorld {
  readonly store = new Store();
  readonly guard: LossGuard;
  /** The beginnings and ends of holds. */
  readonly journal: string[] = [];
  /** What the source has, by kind and key. */
  readonly #source: Record<Kind, Map<string, AnyResult>> = {
    Service: new Map(),
    EndpointSlice: new Map(),
    Node: new Map(),
    ServiceCIDR: new Map(),
  };
  limits: LossLimits;
  now = 0;

  constructor(limits: Partial<LossLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
    this.guard = new LossGuard({
      sink: this.store,
      store: this.store,
      limits: () => this.limits,
      now: () => this.now,
      onHold: ({ lost, before }) => this.journal.push(`hold ${lost} of ${before}`),
      onEnd: (end, applied) => this.journal.push(`${end} ${applied}`),
    });
  }

  /** Services `a/s0` and so on, each with a slice of two endpoints, in their first lists. */
  static withServices(count: number, limits: Partial<LossLimits> = {}): GuardedWorld {
    const world = new GuardedWorld(limits);
    world.list(...Array.from({ length: count }, (_, index) => [webService(index), webSlice(index)]).flat());
    return world;
  }

  put(...objects: readonly ApiObject[]): void {
    for (const object of objects) {
      const { kind, result } = read(object);
      this.#source[kind].set(result.key, result);
      this.guard.put(kind, result);
    }
  }

  remove(...objects: readonly ApiObject[]): void {
    for (const object of objects) {
      const { kind, result } = read(object);
      this.#source[kind].delete(result.key);
      this.guard.remove(kind, result.key);
    }
  }

  /** Sends complete lists of all kinds. */
  list(...objects: readonly ApiObject[]): void {
    for (const kind of Object.keys(this.#source) as Kind[]) this.listKind(kind, objects);
  }

  /** Sends the complete list of one kind. */
  listKind(kind: Kind, objects: readonly ApiObject[]): void {
    const results = objects.map(read).filter((object) => object.kind === kind);
    this.#source[kind] = new Map(results.map(({ result }) => [result.key, result]));
    this.guard.replace(
      kind,
      results.map(({ result }) => result),
    );
  }

  /** Lets time pass, with a tick every second. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(this.now + 1000, end);
      this.guard.tick();
    }
  }

  /** What the source has of a kind, without objects that cannot be used. */
  source(kind: Kind): Map<string, unknown> {
    const usable = [...this.#source[kind]].filter(([, { value }]) => value !== undefined);
    return new Map(usable.map(([key, { value }]) => [key, value]));
  }

  /** What the store has of a kind. */
  stored(kind: Kind): Map<string, unknown> {
    const { services, serviceCidrs, nodes } = this.store;
    if (kind === 'EndpointSlice') return new Map([...this.store.slices()].map((value) => [value.key, value]));
    return new Map<string, unknown>(kind === 'Service' ? services : kind === 'Node' ? nodes : serviceCidrs);
  }

  /** A copy of everything in the store, in a stable order. */
  snapshot(): unknown {
    const kinds = Object.keys(this.#source) as Kind[];
    return kinds.map((kind) => [kind, sortedEntries(this.stored(kind))]);
  }

  /** The same of the source. */
  expected(): unknown {
    const kinds = Object.keys(this.#source) as Kind[];
    return kinds.map((kind) => [kind, sortedEntries(this.source(kind))]);
  }
}

function sortedEntries(objects: ReadonlyMap<string, unknown>): [string, unknown][] {
  return [...objects].sort(([a], [b]) => (a < b ? -1 : 1));
}

function read(object: ApiObject): { kind: Kind; result: AnyResult } {
  const kind = kindOf(object['apiVersion'], object['kind']);
  if (kind === undefined) throw new Error(`Cannot read a "${object['kind']}"`);
  return { kind, result: KINDS[kind].read(object) };
}

/** The Service `a/sN`; `version` changes it without changing what it is. */
export function webService(index: number, version = 0): ApiObject {
  const spec = clusterIps(`10.96.${index >> 8}.${index & 255}`);
  return service(`a/s${index}`, { spec: { ...spec, ports: [{ port: 80 + version, protocol: 'TCP' }] } });
}

interface SliceShape {
  /** The number of usable endpoints. */
  readonly ready?: number;
  readonly unready?: number;
  /** The last part of the name. */
  readonly part?: number;
}

/** The slice `a/sN-PART` of this Service. */
export function webSlice(index: number, { ready = 2, unready = 0, part = 1 }: SliceShape = {}): ApiObject {
  const address = (number: number) => `10.1.${index & 255}.${part * 40 + number}`;
  const endpoints = Array.from({ length: ready + unready }, (_, number) =>
    endpoint(address(number), number < ready ? {} : UNREADY),
  );
  return slice(`a/s${index}`, { metadata: { name: `s${index}-${part}` }, endpoints });
}
