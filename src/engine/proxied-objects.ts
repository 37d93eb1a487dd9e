// Passes objects to the store as this node proxies them, and Services again when their families or cluster IPs change.

import type { Address } from '../net/address.ts';
import type { Family } from '../net/family.ts';
import type { Prefix } from '../net/prefix.ts';
import type { NodeOptions } from '../nftables/compile/node-view.ts';
import { ClusterIpAssignment } from '../services/allocation/cluster-ip-assignment.ts';
import {
  familiesWithoutClusterIp,
  withDefaultFamily,
  withoutAssignedIps,
} from '../services/allocation/complete-service.ts';
import { primaryFamily } from '../services/allocation/default-families.ts';
import { proxiedService } from '../services/model/proxied-service.ts';
import type { EndpointSlice } from '../services/objects/endpoint-slice.ts';
import type { Kind, KindMap, ObjectOf } from '../services/objects/kinds.ts';
import type { Node } from '../services/objects/node.ts';
import type { ReadResult } from '../services/objects/read.ts';
import type { Service } from '../services/objects/service.ts';
import type { Sink } from '../services/objects/sink.ts';
import type { Store } from './store.ts';

/** What is known of the node besides objects. */
interface ProxyNode {
  readonly options: NodeOptions;
  readonly hostAddresses: readonly Address[];
  readonly hostNetworks: readonly Prefix[];
}

export class ProxiedObjects implements Sink {
  readonly #store: Store;
  readonly #node: ProxyNode;
  /** Services as they were given, if they lack something, or are not proxied but have cluster IPs. */
  readonly #incomplete = new Map<string, ReadResult<Service>>();
  #assignment: ClusterIpAssignment | undefined;
  #primary: Family;

  /** `node` is read again with each object. */
  constructor(store: Store, node: ProxyNode) {
    this.#store = store;
    this.#node = node;
    this.#primary = this.#primaryFamily();
    this.#assignment = this.#createAssignment();
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    const keys = new Set(objects.map(({ key }) => key));
    for (const key of this.#store.keysOf(kind)) if (!keys.has(key)) this.#track(kind, { key, issues: [] });
    const given = objects.map((object) => this.#track(kind, object));
    this.#store.replace(
      kind,
      given.map((object) => this.#complete(kind, object)),
    );
    this.#afterChange(kind, keys);
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    const given = this.#track(kind, object);
    this.#store.put(kind, this.#complete(kind, given));
    this.#afterChange(kind, new Set([object.key]));
  }

  remove(kind: Kind, key: string): void {
    this.#track(kind, { key, issues: [] });
    this.#store.remove(kind, key);
    this.#afterChange(kind, new Set());
  }

  /** The addresses of the host changed. */
  updateHost(): void {
    this.#assignment?.reserve('host', this.#hostAddresses());
    if (this.#primaryFamily() === this.#primary) this.#deliverMoved(new Set());
    else this.rebuild();
  }

  /** The options changed, or the blocks of pods. */
  rebuild(): void {
    this.#primary = this.#primaryFamily();
    this.#assignment = this.#createAssignment();
    const { services, nodes } = this.#store;
    for (const [key, value] of services)
      if (!this.#incomplete.has(key)) this.#track('Service', { key, value, issues: [] });
    for (const object of [...this.#incomplete.values()]) this.#track('Service', object);
    if (this.#assignment !== undefined) {
      for (const value of this.#store.slices()) this.#track('EndpointSlice', { key: value.key, value, issues: [] });
      for (const [key, value] of nodes) this.#track('Node', { key, value, issues: [] });
    }
    this.#assignment?.takeMoved();
    for (const object of this.#incomplete.values()) this.#store.put('Service', this.#complete('Service', object));
  }

  /** Returns the object as it was given: what was held back, or read from a state, can have assigned cluster IPs. */
  #track<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): ReadResult<KindMap[K]> {
    if (kind === 'Service') return this.#trackService(object as ReadResult<Service>) as ReadResult<KindMap[K]>;
    if (this.#assignment === undefined) return object;
    const { key, value } = object as ReadResult<ObjectOf>;
    if (kind === 'EndpointSlice') {
      const { endpoints = [] } = (value as EndpointSlice | undefined) ?? {};
      this.#assignment.reserve(
        `EndpointSlice ${key}`,
        endpoints.map(({ address }) => address),
      );
    } else if (kind === 'Node') {
      this.#assignment.reserve(`Node ${key}`, Object.values((value as Node | undefined)?.addresses ?? {}));
    }
    return object;
  }

  #trackService(object: ReadResult<Service>): ReadResult<Service> {
    const { key, value, reserved = [] } = object;
    const given = value === undefined || this.#assignment === undefined ? value : withoutAssignedIps(value);
    const result = given === value || given === undefined ? object : { ...object, value: given };
    const completed = given && withDefaultFamily(given, this.#primary);
    const requested = completed === undefined ? [] : familiesWithoutClusterIp(completed);
    const isIncomplete = requested.length > 0 || given?.families.length === 0 || reserved.length > 0;
    if (isIncomplete) this.#incomplete.set(key, result);
    else this.#incomplete.delete(key);
    const named = given === undefined ? reserved : namedAddresses(given);
    this.#assignment?.setService(key, { requested, named });
    return result;
  }

  #complete<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): ReadResult<KindMap[K]> {
    if (kind !== 'Service') return object;
    const { options, hostAddresses } = this.#node;
    const context = { options, hostAddresses, primary: this.#primary, assignment: this.#assignment };
    return proxiedService(object as ReadResult<Service>, context) as ReadResult<KindMap[K]>;
  }

  #afterChange(kind: Kind, delivered: ReadonlySet<string>): void {
    if (this.#assignment === undefined) return;
    if (
      kind === 'Node' &&
      this.#podCidrs()
        .map(({ text }) => text)
        .join() !== this.#assignment.podCidrs
    )
      this.rebuild();
    else this.#deliverMoved(kind === 'Service' ? delivered : new Set());
  }

  #deliverMoved(delivered: ReadonlySet<string>): void {
    for (const key of this.#assignment?.takeMoved() ?? []) {
      const object = delivered.has(key) ? undefined : this.#incomplete.get(key);
      if (object !== undefined) this.#store.put('Service', this.#complete('Service', object));
    }
  }

  #createAssignment(): ClusterIpAssignment | undefined {
    const ranges = this.#ranges();
    if (ranges.length === 0) return undefined;
    const assignment = new ClusterIpAssignment({ ranges, podCidrs: this.#podCidrs() });
    assignment.reserve('host', this.#hostAddresses());
    return assignment;
  }

  #ranges(): readonly Prefix[] {
    return this.#node.options.serviceClusterIpRange ?? [];
  }

  #primaryFamily(): Family {
    const { options, hostAddresses } = this.#node;
    return primaryFamily({ ranges: this.#ranges(), bindAddress: options.bindAddress, hostAddresses });
  }

  /** A host can have cluster IPs on an interface, as an address with the longest prefix: they stay what they are. */
  #hostAddresses(): string[] {
    const { options, hostAddresses, hostNetworks } = this.#node;
    const added = new Set(hostNetworks.map(({ text }) => text));
    const own = hostAddresses.filter((address) => !added.has(`${address}/32`) && !added.has(`${address}/128`));
    return options.bindAddress === undefined ? own : [...own, options.bindAddress];
  }

  #podCidrs(): Prefix[] {
    const { detectLocal } = this.#node.options;
    const ofNodes = [...this.#store.nodes.values()].flatMap(({ podCidrs }) => Object.values(podCidrs));
    return [...(detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : []), ...ofNodes];
  }
}

function namedAddresses(service: Service): string[] {
  return [...Object.values(service.clusterIps), ...service.externalIps, ...service.loadBalancerIps];
}
