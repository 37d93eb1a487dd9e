// Tracks EndpointSlices from which no Service gets endpoints, although one should.

import { compare } from '../../lib/compare.ts';
import type { Steps } from '../../lib/steps.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { MissedSlice } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import { formatIssue, type ValidationIssue } from '../objects/validation-issue.ts';
import { isServedWhole, orphanIssue, sliceIssues } from './slice-matching.ts';

interface KnownObjects {
  readonly services: ReadonlyMap<string, Service>;
  /** Services that are not proxied. */
  readonly skippedServices: ReadonlyMap<string, string>;
  readonly slicesOf: (service: string) => Iterable<EndpointSlice>;
}

const NONE: readonly ValidationIssue[] = [];

/** Work is proportional to the Services that changed. */
export class UnmatchedSlices {
  readonly #objects: KnownObjects;
  readonly #changed = new Set<string>();
  readonly #issues = new Map<string, readonly ValidationIssue[]>();
  /** Slices that are not read, by the Services that may miss them. */
  readonly #missed = new Map<string, Map<string, MissedSlice>>();
  readonly #servicesOfMissed = new Map<string, readonly string[]>();
  /** The namespaces of Services by their name. */
  readonly #namespaces = new Map<string, Set<string>>();
  #seesAllServices = false;
  #sorted: readonly ValidationIssue[] | undefined = [];

  constructor(objects: KnownObjects) {
    this.#objects = objects;
  }

  /**
   * Whether every Service is known, so that a slice without one is reported. An API server does not send headless Services and
   * those of other proxies.
   */
  setSeesAllServices(sees: boolean): void {
    if (sees === this.#seesAllServices) return;
    this.#seesAllServices = sees;
    for (const key of this.#objects.services.keys()) this.#changed.add(key);
  }

  /** The Service, or a slice of it, has changed. */
  touch(service: string): void {
    this.#changed.add(service);
  }

  /** Sets or removes a slice that is not read. */
  setMissed(key: string, slice: MissedSlice | undefined): void {
    for (const service of this.#servicesOfMissed.get(key) ?? []) {
      const slices = this.#missed.get(service);
      slices?.delete(key);
      if (slices?.size === 0) this.#missed.delete(service);
      this.#changed.add(service);
    }
    this.#servicesOfMissed.delete(key);
    if (slice === undefined) return;
    this.#servicesOfMissed.set(key, slice.services);
    for (const service of slice.services) {
      const slices = this.#missed.get(service) ?? new Map<string, MissedSlice>();
      this.#missed.set(service, slices.set(key, slice));
      this.#changed.add(service);
    }
  }

  /** The keys of the slices that are not read. */
  missedKeys(): Iterable<string> {
    return this.#servicesOfMissed.keys();
  }

  /** Searches the Services that have changed since the last call. */
  *searchSteps(): Steps<void> {
    const changed = [...this.#changed];
    this.#changed.clear();
    // Only for slices without a Service, which are looked for below.
    for (const key of this.#seesAllServices ? changed : []) {
      this.#setName(key);
      yield;
    }
    for (const key of changed) {
      this.#setIssues(key, this.#issuesOf(key));
      yield;
    }
  }

  #setName(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const namespaces = this.#namespaces.get(name) ?? new Set();
    if (this.#objects.services.has(key)) this.#namespaces.set(name, namespaces.add(namespace));
    else if (namespaces.delete(namespace) && namespaces.size === 0) this.#namespaces.delete(name);
  }

  /** In a stable order, and the same list as before if none changed. */
  issues(): readonly ValidationIssue[] {
    this.#sorted ??= [...this.#issues.values()].flat().sort((a, b) => compare(formatIssue(a), formatIssue(b)));
    return this.#sorted;
  }

  #issuesOf(key: string): readonly ValidationIssue[] {
    const service = this.#objects.services.get(key);
    const slices = [...this.#objects.slicesOf(key)];
    if (service !== undefined) {
      if (isServedWhole(service, slices)) return NONE;
      return sliceIssues(service, slices, this.#missed.get(key)?.values() ?? []);
    }
    if (!this.#seesAllServices || this.#objects.skippedServices.has(key)) return [];
    const others = [...(this.#namespaces.get(key.slice(key.indexOf('/') + 1)) ?? [])].sort(compare);
    return slices.flatMap((slice) => orphanIssue(slice, others));
  }

  #setIssues(key: string, issues: readonly ValidationIssue[]): void {
    const before = this.#issues.get(key) ?? [];
    if (before.length === 0 && issues.length === 0) return;
    if (JSON.stringify(before) === JSON.stringify(issues)) return;
    if (issues.length === 0) this.#issues.delete(key);
    else this.#issues.set(key, issues);
    this.#sorted = undefined;
  }
}
