// Applies the limits to Services: one that exceeds them is served more cheaply, or left out.

import { serviceCost } from '../nftables/compile/service-cost.ts';
import { Budget, type Cost, type Limits, type Reduction } from '../nftables/plan/budget.ts';
import type { EndpointSlice } from '../services/objects/endpoint-slice.ts';
import type { Service } from '../services/objects/service.ts';

/** What happens to a Service that exceeds a limit. */
type LimitEffect = (typeof LIMIT_EFFECTS)[number];
export const LIMIT_EFFECTS = ['source-hash', 'left-out'] as const;

/** A Service that exceeds a limit. */
export interface LimitedService {
  readonly service: string;
  readonly effect: LimitEffect;
  /** Names the resource, the amount, the limit and its field. */
  readonly reason: string;
}

/** The effects in a sentence. */
const EFFECTS: Readonly<Record<LimitEffect, string>> = {
  'source-hash': 'balanced by source-hash instead',
  'left-out': 'left out: connections to its cluster IPs are refused',
};

/** The limit and its effect as one line. */
export function formatLimit({ reason, effect }: Pick<LimitedService, 'reason' | 'effect'>): string {
  return `${reason}; ${EFFECTS[effect]}`;
}

interface Served {
  readonly original: Service;
  readonly effective: Service;
}

/** Replaces Services that exceed a limit by reduced ones, which everything else is derived from. */
export class ServiceLimits {
  readonly #budget = new Budget();
  /** The reduced Services, computed once for each version. */
  readonly #reduced = new Map<string, Served>();
  #limited: { readonly reductions: unknown; readonly list: readonly LimitedService[] } | undefined;

  setLimits(limits: Limits): void {
    this.#budget.setLimits(limits);
  }

  /** Counts a Service, or no longer counts it. */
  update(
    key: string,
    service: Service | undefined,
    context: { readonly slices: readonly EndpointSlice[]; readonly nodeName: string },
  ): void {
    if (service === undefined) this.#budget.remove(key);
    else this.#budget.set({ key, createdAt: service.createdAt, ways: waysOf(service, context) });
  }

  /** Applies the updates. Returns the Services that are served differently now. */
  settle(): Set<string> {
    const changed = this.#budget.settle();
    for (const key of changed) this.#reduced.delete(key);
    return changed;
  }

  /** The estimated number of elements of a Service; 0 if it is left out or unknown. */
  elementsOf(key: string): number {
    return this.#budget.costOf(key)?.elements ?? 0;
  }

  /** The Service as it is served: itself in nearly all cases. */
  effective(service: Service): Service {
    const reduction = this.#budget.reduction(service.key);
    if (reduction === undefined) return service;
    const known = this.#reduced.get(service.key);
    if (known?.original === service) return known.effective;
    const effective = effectOf(reduction) === 'left-out' ? { ...service, ports: [] } : withSourceHash(service);
    this.#reduced.set(service.key, { original: service, effective });
    return effective;
  }

  /** The Services that exceed a limit, in no particular order. The same list as before if none changed. */
  limited(): readonly LimitedService[] {
    const reductions = this.#budget.reductions();
    if (this.#limited?.reductions !== reductions)
      this.#limited = { reductions, list: [...reductions.values()].map(toLimited) };
    return this.#limited.list;
  }

  /** The sum of what the Services need, each within the limits of a single one, and its limits. */
  usage(): Pick<Budget, 'needed' | 'limits'> {
    return this.#budget;
  }
}

/** By source hash, a client keeps its endpoint as with maglev and session affinity, as long as the endpoints stay. */
function withSourceHash(service: Service): Service {
  return { ...service, balance: 'source-hash', affinitySeconds: 0 };
}

function waysOf(
  service: Service,
  context: { readonly slices: readonly EndpointSlice[]; readonly nodeName: string },
): readonly Cost[] {
  const preferred = serviceCost(service, context);
  if (service.balance !== 'maglev' && service.affinitySeconds === 0) return [preferred];
  const cheaper = serviceCost(withSourceHash(service), context);
  // With large weights, source-hash can need more slots than a maglev table has.
  return cheaper.elements < preferred.elements ? [preferred, cheaper] : [preferred];
}

function toLimited(reduction: Reduction): LimitedService {
  return { service: reduction.key, effect: effectOf(reduction), reason: reasonOf(reduction) };
}

function effectOf({ way }: Reduction): LimitEffect {
  return way === undefined ? 'left-out' : 'source-hash';
}

const RESOURCE_NAMES = {
  elements: 'elements',
  affinityPorts: 'ports with session affinity',
  sourceRanges: 'source ranges',
};

function reasonOf({ excess: { scope, resource, needed, limit } }: Reduction): string {
  const field = `limits.${scope}.${resource}`;
  const amount = `needs ${needed} ${RESOURCE_NAMES[resource]}`;
  if (scope === 'service') return `${amount}, but ${field} is ${limit}`;
  return `${amount}, but all Services together may have ${limit} (${field}), and others come first`;
}
