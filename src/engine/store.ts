// Stores the latest objects, and tracks which Services they affect.

import { compare } from '../lib/compare.ts';
import type { Steps } from '../lib/steps.ts';
import { UnmatchedSlices } from '../services/matching/unmatched-slices.ts';
import { ClusterIpUses } from '../services/model/cluster-ip-uses.ts';
import { EndpointsInBlocks } from '../services/model/endpoints-in-blocks.ts';
import type { EndpointSlice } from '../services/objects/endpoint-slice.ts';
import type { Kind, KindMap, ObjectOf } from '../services/objects/kinds.ts';
import type { Node } from '../services/objects/node.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Service } from '../services/objects/service.ts';
import type { ServiceCidr } from '../services/objects/service-cidr.ts';
import type { Sink } from '../services/objects/sink.ts';
import { formatIssue, type ValidationIssue } from '../services/objects/validation-issue.ts';

/** The latest objects by key, and the Services and Node that changed since they were last taken. */
export class Store implements Sink {
  readonly services = new Map<string, Service>();
  readonly serviceCidrs = new Map<string, ServiceCidr>();
  readonly nodes = new Map<string, Node>();
  /** Why valid Services are not proxied, by key. */
  readonly skippedServices = new Map<string, string>();
  /** The endpoints in the blocks of ServiceCIDRs. */
  readonly endpointsInCidrs = new EndpointsInBlocks();
  /** The cluster IPs that are also addresses of endpoints or of this node. */
  readonly clusterIpUses = new ClusterIpUses((service) => this.#touched.add(service));
  /** The slices from which no Service gets endpoints. */
  readonly unmatchedSlices = new UnmatchedSlices({
    services: this.services,
    skippedServices: this.skippedServices,
    slicesOf: (service) => this.slicesOf(service),
  });
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #slicesByService = new Map<string, Map<string, EndpointSlice>>();
  readonly #issues: Readonly<Record<Kind, Map<string, readonly ValidationIssue[]>>> = {
    Service: new Map(),
    EndpointSlice: new Map(),
    Node: new Map(),
    ServiceCIDR: new Map(),
  };
  #sortedIssues: readonly ValidationIssue[] | undefined;
  readonly #synced = new Set<Kind>();
  readonly #touched = new Set<string>();
  #isNodeTouched = true;

  /** Nothing may be synced before both are known: Services whose endpoints have not arrived would reject traffic. */
  get isReady(): boolean {
    return this.hasSynced('Service') && this.hasSynced('EndpointSlice');
  }

  /** Whether a complete list of a kind has arrived. */
  hasSynced(kind: Kind): boolean {
    return this.#synced.has(kind);
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    const keys = new Set(objects.map((object) => object.key));
    for (const key of this.keysOf(kind)) if (!keys.has(key)) this.remove(kind, key);
    for (const object of objects) this.put(kind, object);
    this.#synced.add(kind);
  }

  /** The keys of all objects. One that could not be used at all is known by its issues, or by the reason. */
  keysOf(kind: Kind): string[] {
    const skipped = kind === 'Service' ? this.skippedServices.keys() : [];
    const missed = kind === 'EndpointSlice' ? this.unmatchedSlices.missedKeys() : [];
    return [...this.#objectsOf(kind).keys(), ...this.#issues[kind].keys(), ...skipped, ...missed];
  }

  put<K extends Kind>(kind: K, { key, value, issues, skipped, missed }: ReadResult<KindMap[K]>): void {
    this.#setIssues(kind, key, issues);
    this.#setSkipped(kind, key, skipped);
    if (kind === 'EndpointSlice') this.unmatchedSlices.setMissed(key, missed);
    if (value === undefined) this.#delete(kind, key);
    else this.#set(kind, key, value);
  }

  remove(kind: Kind, key: string): void {
    this.#setIssues(kind, key, []);
    this.#setSkipped(kind, key, undefined);
    if (kind === 'EndpointSlice') this.unmatchedSlices.setMissed(key, undefined);
    this.#delete(kind, key);
  }

  /** The slices of a Service, by `namespace/name` of the Service. */
  slicesOf(service: string): Iterable<EndpointSlice> {
    return this.#slicesByService.get(service)?.values() ?? [];
  }

  /** The latest version of an object with its issues; `undefined` without a usable one. */
  current(kind: Kind, key: string): ReadResult<ObjectOf> | undefined {
    const value = this.#objectsOf(kind).get(key);
    return value === undefined ? undefined : { key, value, issues: this.#issues[kind].get(key) ?? [] };
  }

  /** A slice by its own `namespace/name`. */
  slice(key: string): EndpointSlice | undefined {
    return this.#slices.get(key);
  }

  slices(): Iterable<EndpointSlice> {
    return this.#slices.values();
  }

  /**
   * Finds the new cluster IPs that are addresses of endpoints, and marks their Services as changed. Finds the slices from
   * which no Service gets endpoints.
   */
  *searchSteps(): Steps<void> {
    yield* this.clusterIpUses.searchSteps(this.slices(), (address) => this.endpointsInCidrs.isFree(address));
    yield* this.unmatchedSlices.searchSteps();
  }

  /** Marks these Services as changed. */
  touch(services: Iterable<string>): void {
    for (const service of services) this.#touched.add(service);
  }

  /** The Services that changed, or whose slices changed, since the last call. */
  takeTouched(): Set<string> {
    const touched = new Set(this.#touched);
    this.#touched.clear();
    return touched;
  }

  /** Whether an object changed since it was last taken. */
  get isTouched(): boolean {
    return this.#touched.size > 0 || this.#isNodeTouched;
  }

  /** Whether the Service, or its slices, changed since they were last taken. */
  isTouchedService(key: string): boolean {
    return this.#touched.has(key);
  }

  /** Takes up to `limit` changed Services that are known and have slices; the others remain. */
  takeTouchedWithSlices(limit: number): Set<string> {
    const touched = new Set<string>();
    for (const key of this.#touched) {
      if (!this.services.has(key) || !this.#slicesByService.has(key)) continue;
      touched.add(key);
      this.#touched.delete(key);
      if (touched.size === limit) break;
    }
    return touched;
  }

  /** Marks the node as changed, for changes that no object shows. */
  touchNode(): void {
    this.#isNodeTouched = true;
  }

  /** Whether a Node or ServiceCIDR changed since the last call. */
  takeNodeTouched(): boolean {
    const touched = this.#isNodeTouched;
    this.#isNodeTouched = false;
    return touched;
  }

  /** All validation issues, in a stable order. The same list as before if none changed. */
  issues(): readonly ValidationIssue[] {
    this.#sortedIssues ??= Object.values(this.#issues)
      .flatMap((issues) => [...issues.values()].flat())
      .map((issue) => ({ issue, text: formatIssue(issue) }))
      .sort((a, b) => compare(a.text, b.text))
      .map(({ issue }) => issue);
    return this.#sortedIssues;
  }

  #setIssues(kind: Kind, key: string, issues: readonly ValidationIssue[]): void {
    if (issues.length > 0) this.#issues[kind].set(key, issues);
    else if (!this.#issues[kind].delete(key)) return;
    this.#sortedIssues = undefined;
  }

  #setSkipped(kind: Kind, key: string, reason: string | undefined): void {
    if (kind !== 'Service' || this.skippedServices.get(key) === reason) return;
    this.unmatchedSlices.touch(key);
    if (reason === undefined) this.skippedServices.delete(key);
    else this.skippedServices.set(key, reason);
  }

  #objectsOf(kind: Kind): ReadonlyMap<string, ObjectOf> {
    const maps = {
      Service: this.services,
      EndpointSlice: this.#slices,
      Node: this.nodes,
      ServiceCIDR: this.serviceCidrs,
    };
    return maps[kind];
  }

  #set(kind: Kind, key: string, value: KindMap[Kind]): void {
    if (kind === 'EndpointSlice') {
      this.#setSlice(key, value as EndpointSlice);
    } else if (kind === 'Service') {
      this.clusterIpUses.setService(key, { before: this.services.get(key), after: value as Service });
      this.services.set(key, value as Service);
      this.#change(key);
    } else {
      if (kind === 'Node') this.nodes.set(key, value as Node);
      else this.#setServiceCidr(key, value as ServiceCidr);
      this.#isNodeTouched = true;
    }
  }

  #change(service: string): void {
    this.#touched.add(service);
    this.unmatchedSlices.touch(service);
  }

  #setServiceCidr(key: string, value: ServiceCidr): void {
    this.serviceCidrs.set(key, value);
    this.#searchCidrs();
  }

  #searchCidrs(): void {
    const blocks = [...this.serviceCidrs.values()].flatMap(({ cidrs }) => cidrs);
    this.endpointsInCidrs.setBlocks(blocks, this.#slices.values());
  }

  /** A slice whose Service label has changed is removed from the previous Service. */
  #setSlice(key: string, slice: EndpointSlice): void {
    const current = this.#slices.get(key);
    if (current === slice) return;
    if (current?.service !== slice.service) this.#delete('EndpointSlice', key);
    this.clusterIpUses.setSlice(key, { before: this.#slices.get(key), after: slice });
    this.#slices.set(key, slice);
    if (this.endpointsInCidrs.put(slice)) this.#isNodeTouched = true;
    const siblings = this.#slicesByService.get(slice.service) ?? new Map<string, EndpointSlice>();
    this.#slicesByService.set(slice.service, siblings.set(key, slice));
    this.#change(slice.service);
  }

  #delete(kind: Kind, key: string): void {
    if (kind === 'EndpointSlice') {
      const slice = this.#slices.get(key);
      if (slice === undefined) return;
      this.#slices.delete(key);
      this.clusterIpUses.setSlice(key, { before: slice });
      if (this.endpointsInCidrs.delete(key)) this.#isNodeTouched = true;
      const siblings = this.#slicesByService.get(slice.service);
      siblings?.delete(key);
      if (siblings?.size === 0) this.#slicesByService.delete(slice.service);
      this.#change(slice.service);
    } else if (kind === 'Service') {
      this.clusterIpUses.setService(key, { before: this.services.get(key) });
      if (this.services.delete(key)) this.#change(key);
    } else {
      const map = kind === 'Node' ? this.nodes : this.serviceCidrs;
      if (!map.delete(key)) return;
      this.#isNodeTouched = true;
      if (kind === 'ServiceCIDR') this.#searchCidrs();
    }
  }
}
