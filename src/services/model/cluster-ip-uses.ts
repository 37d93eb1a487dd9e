// Finds cluster IPs that are also the address of an endpoint or of this node, as objects change.

import { compare } from '../../lib/compare.ts';
import type { Steps } from '../../lib/steps.ts';
import type { Address } from '../../net/address.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import { IssueCollector } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import type { ValidationIssue } from '../objects/validation-issue.ts';

/** This node, with the addresses that it is known by. */
interface OwnNode {
  readonly name: string;
  readonly addresses: readonly Address[];
}

/** An object before and after a change. */
interface Change<T> {
  readonly before?: T | undefined;
  readonly after?: T | undefined;
}

/** Endpoints that are compared between two yields: less than a millisecond of work. */
const ENDPOINTS_PER_STEP = 10_000;

/**
 * Connections to a cluster IP are refused unless a port serves them. If something else has the address, its connections must
 * not be. A cluster IP that a slice names as an endpoint is such a case, too: kube-proxy does not support virtual addresses as
 * endpoints, and a slice does not say whether an address is one, so that it is taken for that of a pod. Remembers the cluster
 * IPs, and only those slices that have one.
 */
export class ClusterIpUses {
  /** The Services by cluster IP: nearly always one, which needs no set. */
  readonly #services = new Map<Address, string | Set<string>>();
  /** The cluster IPs for which the slices have not been searched yet. */
  readonly #unsearched = new Set<Address>();
  /** The slices by cluster IP. */
  readonly #slices = new Map<Address, Set<string>>();
  readonly #onChange: (service: string) => void;
  #node: OwnNode = { name: '', addresses: [] };
  #issues: readonly ValidationIssue[] | undefined = [];

  /** `onChange` receives each Service of which a cluster IP is now in use, or no longer. */
  constructor(onChange: (service: string) => void) {
    this.#onChange = onChange;
  }

  /** Whether the cluster IP is also the address of an endpoint or of this node. Complete after {@link searchSteps}. */
  isInUse(address: Address): boolean {
    return this.#slices.has(address) || this.#node.addresses.includes(address);
  }

  /** The keys of the slices with this endpoint, if it is a cluster IP. */
  slicesAt(address: Address): Iterable<string> {
    return this.#slices.get(address) ?? [];
  }

  /** Adds, replaces or removes a Service. */
  setService(key: string, { before, after }: Change<Service>): void {
    const old = Object.values(before?.clusterIps ?? {});
    const current = Object.values(after?.clusterIps ?? {});
    for (const address of old) if (!current.includes(address)) this.#removeService(address, key);
    for (const address of current) if (!old.includes(address)) this.#addService(address, key);
  }

  /** Adds, replaces or removes a slice. */
  setSlice(key: string, { before, after }: Change<EndpointSlice>): void {
    const current = this.#clusterIpsIn(after);
    if (this.#slices.size > 0)
      for (const address of this.#clusterIpsIn(before)) if (!current.has(address)) this.#removeSlice(address, key);
    for (const address of current) this.#addSlice(address, key);
  }

  /** Replaces the addresses of this node. */
  setNode(node: OwnNode): void {
    const before = this.#node;
    this.#node = node;
    if (before.name === node.name && before.addresses.join() === node.addresses.join()) return;
    for (const address of new Set([...before.addresses, ...node.addresses])) this.#changed(address);
  }

  /**
   * Searches the slices for the cluster IPs that are new, unless `isFree` says that none can have them. Slices that change
   * meanwhile are found, too.
   */
  *searchSteps(slices: Iterable<EndpointSlice>, isFree: (address: Address) => boolean): Steps<void> {
    if (this.#unsearched.size === 0) return;
    const addresses = new Set([...this.#unsearched].filter((address) => !isFree(address)));
    this.#unsearched.clear();
    if (addresses.size === 0) return;
    let count = 0;
    for (const { key, endpoints } of slices) {
      for (const { address } of endpoints) if (addresses.has(address)) this.#addSlice(address, key);
      count += endpoints.length;
      if (count < ENDPOINTS_PER_STEP) continue;
      count = 0;
      yield;
    }
  }

  /** One for each such cluster IP of a Service, in a stable order. The same list as before if none changed. */
  issues(): readonly ValidationIssue[] {
    this.#issues ??= [...new Set([...this.#slices.keys(), ...this.#node.addresses])]
      .flatMap((address) => this.#servicesAt(address).map((service) => ({ service, address })))
      .sort((a, b) => compare(a.service, b.service) || compare(a.address, b.address))
      .flatMap(({ service, address }) => this.#issuesOf(service, address));
    return this.#issues;
  }

  #issuesOf(service: string, address: Address): readonly ValidationIssue[] {
    const collector = new IssueCollector('Service', service);
    const reason = this.#node.addresses.includes(address)
      ? `is an address of Node ${this.#node.name}`
      : `is an endpoint of EndpointSlice ${[...this.slicesAt(address)].sort(compare)[0]}`;
    const effect = 'not refusing connections that it does not serve';
    collector.add({ field: 'spec.clusterIPs', value: address, reason, effect });
    return collector.all;
  }

  #servicesAt(address: Address): string[] {
    const services = this.#services.get(address) ?? [];
    return typeof services === 'string' ? [services] : [...services];
  }

  #addService(address: Address, service: string): void {
    const others = this.#services.get(address);
    if (others === undefined) {
      this.#services.set(address, service);
      this.#unsearched.add(address);
    } else if (typeof others === 'string') this.#services.set(address, new Set([others, service]));
    else others.add(service);
    if (this.isInUse(address)) this.#issues = undefined;
  }

  #removeService(address: Address, service: string): void {
    if (this.isInUse(address)) this.#issues = undefined;
    const services = this.#services.get(address);
    if (services instanceof Set) services.delete(service);
    if (services instanceof Set && services.size > 0) return;
    this.#services.delete(address);
    this.#unsearched.delete(address);
    this.#slices.delete(address);
  }

  #clusterIpsIn(slice: EndpointSlice | undefined): Set<Address> {
    const found = new Set<Address>();
    for (const { address } of slice?.endpoints ?? []) if (this.#services.has(address)) found.add(address);
    return found;
  }

  #addSlice(address: Address, slice: string): void {
    if (!this.#services.has(address)) return;
    const slices = this.#slices.get(address) ?? new Set();
    if (slices.has(slice)) return;
    this.#slices.set(address, slices.add(slice));
    if (slices.size === 1) this.#changed(address);
    this.#issues = undefined;
  }

  #removeSlice(address: Address, slice: string): void {
    const slices = this.#slices.get(address);
    if (slices?.delete(slice) !== true) return;
    this.#issues = undefined;
    if (slices.size > 0) return;
    this.#slices.delete(address);
    this.#changed(address);
  }

  #changed(address: Address): void {
    this.#issues = undefined;
    for (const service of this.#servicesAt(address)) this.#onChange(service);
  }
}
