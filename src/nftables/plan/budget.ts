// Limits what Services may take up: of each Service, and in total.

import { compare } from '../../lib/compare.ts';

/** What is limited. See {@link DEFAULT_LIMITS} for the cost of each. */
export const RESOURCES = ['elements', 'affinityPorts', 'sourceRanges'] as const;
type Resource = (typeof RESOURCES)[number];

/** An amount of each resource. */
export type Cost = Readonly<Record<Resource, number>>;

/** The limits of a single Service, and of all together. */
export interface Limits {
  readonly service: Cost;
  readonly total: Cost;
}

/**
 * Measured on the development machine, kernel 6.18: an element takes 200 bytes in the kernel and 170 bytes in the daemon. The
 * kernel needs 3 s to load 10,000 source ranges and 70 s for 50,000. Each port with affinity has chains and maps of its own,
 * which the kernel walks for each change: one takes 0.14 s with 1,000 such ports, and 1 s with 3,000.
 */
export const DEFAULT_LIMITS: Limits = {
  service: { elements: 200_000, affinityPorts: 100, sourceRanges: 5000 },
  total: { elements: 1_000_000, affinityPorts: 1000, sourceRanges: 10_000 },
};

/** A Service with the ways to serve it, the preferred one first; each costs less than the one before. */
export interface Demand {
  readonly key: string;
  readonly createdAt: number;
  readonly ways: readonly Cost[];
}

/** A limit that keeps a Service from a way to serve it. */
interface Excess {
  readonly scope: keyof Limits;
  readonly resource: Resource;
  /** What the Service needs for that way. */
  readonly needed: number;
  readonly limit: number;
}

/** A Service that is not served in its preferred way. */
export interface Reduction {
  readonly key: string;
  /** The index of its way; `undefined` if it is left out. */
  readonly way: number | undefined;
  /** Why it is not served in its preferred way. */
  readonly excess: Excess;
}

/** A Service that needs more than this fraction of a total, even in its cheapest way, is large. */
const LARGE_FRACTION = 1 / 1000;

/** More changed Services are sorted with all others instead of inserted. */
const MAX_INSERTED = 100;

/**
 * Decides which Services are served, and how. The result depends on the demands only, not on their history. When not all
 * fit, small Services come first, then the oldest, then the first by name: a few large Services cannot displace the many
 * others. What the cheapest ways of all these leave is used for preferred ways, in the same order.
 */
export class Budget {
  #limits: Limits = DEFAULT_LIMITS;
  readonly #demands = new Map<string, Demand>();
  /** Those whose preferred way exceeds the limits of a single Service. */
  readonly #oversized = new Map<string, Demand>();
  /** The sum of the best ways within the limits of a single Service. */
  readonly #sum: Record<Resource, number> = { ...NOTHING };
  #reductions: ReadonlyMap<string, Reduction> = new Map();
  /** The demands by precedence, without the {@link #unordered} ones; only while they do not all fit. */
  #ordered: readonly Demand[] | undefined;
  readonly #unordered = new Set<string>();

  setLimits(limits: Limits): void {
    if (limits === this.#limits) return;
    const demands = [...this.#demands.values()];
    for (const { key } of demands) this.remove(key);
    this.#limits = limits;
    for (const demand of demands) this.set(demand);
  }

  /** Adds or replaces the demand of a Service. */
  set(demand: Demand): void {
    const before = this.#demands.get(demand.key);
    if (before !== undefined && isSame(before, demand)) return;
    this.remove(demand.key);
    this.#demands.set(demand.key, demand);
    this.#addToSum(demand, 1);
    if (!fits(preferred(demand), this.#limits.service)) this.#oversized.set(demand.key, demand);
    this.#unordered.add(demand.key);
  }

  remove(key: string): void {
    const before = this.#demands.get(key);
    if (before === undefined) return;
    this.#demands.delete(key);
    this.#addToSum(before, -1);
    this.#oversized.delete(key);
    this.#unordered.add(key);
  }

  /** Applies the changed demands. Returns the Services whose way changed by it. */
  settle(): Set<string> {
    if (this.#unordered.size === 0) return new Set();
    const before = this.#reductions;
    const isOver = !fits(this.#sum, this.#limits.total);
    this.#ordered = isOver ? this.#inOrder() : undefined;
    this.#unordered.clear();
    this.#reductions = this.#ordered === undefined ? this.#reduceOversized() : this.#reduceAll(this.#ordered);
    const keys = [...new Set([...before.keys(), ...this.#reductions.keys()])];
    return new Set(keys.filter((key) => wayOf(before.get(key)) !== wayOf(this.#reductions.get(key))));
  }

  /** What the Service costs in its way; `undefined` if it is left out or unknown. */
  costOf(key: string): Cost | undefined {
    const way = wayOf(this.#reductions.get(key));
    return way === undefined ? undefined : this.#demands.get(key)?.ways[way];
  }

  /** How this Service is reduced; `undefined` if it is served in its preferred way. */
  reduction(key: string): Reduction | undefined {
    return this.#reductions.get(key);
  }

  /** All reduced Services, by key. Another map after each change. */
  reductions(): ReadonlyMap<string, Reduction> {
    return this.#reductions;
  }

  /** The sum of what the Services need, each within the limits of a single one. */
  get needed(): Cost {
    return this.#sum;
  }

  /** The limits that apply. */
  get limits(): Limits {
    return this.#limits;
  }

  #addToSum(demand: Demand, sign: 1 | -1): void {
    const best = demand.ways.find((cost) => fits(cost, this.#limits.service)) ?? NOTHING;
    for (const resource of RESOURCES) this.#sum[resource] += sign * best[resource];
  }

  #inOrder(): readonly Demand[] {
    const byPrecedence = (a: Demand, b: Demand) =>
      this.#rank(a) - this.#rank(b) || a.createdAt - b.createdAt || compare(a.key, b.key);
    const all = () => [...this.#demands.values()].sort(byPrecedence);
    if (this.#ordered === undefined || this.#unordered.size > MAX_INSERTED) return all();
    const ordered = this.#ordered.filter(({ key }) => !this.#unordered.has(key));
    for (const key of this.#unordered) {
      const demand = this.#demands.get(key);
      if (demand !== undefined) ordered.splice(indexIn(ordered, demand, byPrecedence), 0, demand);
    }
    return ordered;
  }

  #rank({ ways }: Demand): 0 | 1 {
    const cheapest = ways.at(-1) ?? NOTHING;
    const { total } = this.#limits;
    return RESOURCES.some((resource) => cheapest[resource] > total[resource] * LARGE_FRACTION) ? 1 : 0;
  }

  #reduceOversized(): ReadonlyMap<string, Reduction> {
    const reductions = new Map<string, Reduction>();
    for (const demand of this.#oversized.values()) {
      const way = demand.ways.findIndex((cost) => fits(cost, this.#limits.service));
      reductions.set(demand.key, this.#reductionOf(demand, way));
    }
    return reductions;
  }

  #reduceAll(ordered: readonly Demand[]): ReadonlyMap<string, Reduction> {
    const rest: Record<Resource, number> = { ...this.#limits.total };
    const take = ({ elements, affinityPorts, sourceRanges }: Cost, sign: 1 | -1): void => {
      rest.elements -= sign * elements;
      rest.affinityPorts -= sign * affinityPorts;
      rest.sourceRanges -= sign * sourceRanges;
    };
    const reductions = new Map<string, Reduction>();
    const served = ordered.filter((demand) => {
      const cheapest = demand.ways.at(-1) ?? NOTHING;
      const isServed = fits(cheapest, this.#limits.service) && fits(cheapest, rest);
      if (isServed) take(cheapest, 1);
      else reductions.set(demand.key, this.#reductionOf(demand, -1));
      return isServed;
    });
    for (const demand of served) {
      if (demand.ways.length === 1) continue;
      take(demand.ways.at(-1) ?? NOTHING, -1);
      const way = demand.ways.findIndex((cost) => fits(cost, this.#limits.service) && fits(cost, rest));
      take(demand.ways[way] ?? NOTHING, 1);
      if (way > 0) reductions.set(demand.key, this.#reductionOf(demand, way));
    }
    return reductions;
  }

  #reductionOf(demand: Demand, index: number): Reduction {
    const way = index < 0 ? undefined : index;
    // The first way that it does not get; for a Service that is left out, the last one.
    const missed = (way === undefined ? demand.ways.at(-1) : demand.ways[way - 1]) ?? NOTHING;
    const { service, total } = this.#limits;
    const over = RESOURCES.find((resource) => missed[resource] > service[resource]);
    const scope = over === undefined ? 'total' : 'service';
    const resource = over ?? RESOURCES.find((name) => this.#sum[name] > total[name]) ?? 'elements';
    const limit = this.#limits[scope][resource];
    return { key: demand.key, way, excess: { scope, resource, needed: missed[resource], limit } };
  }
}

/** Where a sorted list continues with larger items. */
function indexIn<T>(sorted: readonly T[], item: T, compareItems: (a: T, b: T) => number): number {
  let [from, until] = [0, sorted.length];
  while (from < until) {
    const middle = (from + until) >> 1;
    if (compareItems(sorted[middle] as T, item) <= 0) from = middle + 1;
    else until = middle;
  }
  return from;
}

const NOTHING: Cost = { elements: 0, affinityPorts: 0, sourceRanges: 0 };

function preferred({ ways }: Demand): Cost {
  return ways[0] ?? NOTHING;
}

function fits(cost: Cost, limit: Cost): boolean {
  return (
    cost.elements <= limit.elements &&
    cost.affinityPorts <= limit.affinityPorts &&
    cost.sourceRanges <= limit.sourceRanges
  );
}

function isSame(a: Demand, b: Demand): boolean {
  if (a.createdAt !== b.createdAt || a.ways.length !== b.ways.length) return false;
  return a.ways.every((cost, way) => RESOURCES.every((resource) => cost[resource] === b.ways[way]?.[resource]));
}

/** The index of the reduced form of a Service, 0 for others. */
function wayOf(reduction: Reduction | undefined): number | undefined {
  return reduction === undefined ? 0 : reduction.way;
}
