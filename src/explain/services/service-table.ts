// Everything that a flow can be addressed to on this node, and who answers there.

import type { Address } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Host } from '../../net/host.ts';
import type { Protocol } from '../../net/protocol.ts';
import type { NodeView } from '../../nftables/compile/node-view.ts';
import { type Backend, backendsOf } from '../../services/model/backends.ts';
import { type Frontend, type FrontendKind, frontendsOf } from '../../services/model/frontends.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import { familiesOf, type Service } from '../../services/objects/service.ts';
import { type UsableBackends, usableBackends } from './usable-backends.ts';

/** The objects of a cluster. */
export interface ClusterState {
  readonly services: Iterable<Service>;
  readonly slicesOf: (service: string) => Iterable<EndpointSlice>;
}

/** The node as far as the outcome depends on it. */
export type ResolverNode = Pick<
  NodeView,
  | 'name'
  | 'zone'
  | 'masqueradeAll'
  | 'strictSourceRanges'
  | 'addresses'
  | 'detectLocal'
  | 'nodePortIps'
  | 'localhostNodePorts'
  | 'serviceCidrs'
>;

/** Something that can be dialled, and its backends. */
export interface FrontendEntry {
  readonly service: Service;
  readonly kind: FrontendKind;
  readonly frontend: Frontend;
  readonly backends: readonly Backend[];
  readonly usable: UsableBackends;
}

export interface ServiceTable {
  readonly node: ResolverNode;
  readonly host: Host;
  /** By {@link addressKey}, or {@link nodePortKey}. */
  readonly entries: ReadonlyMap<string, FrontendEntry>;
  /** Services by cluster IP: whether a port is defined there or not. */
  readonly clusterIps: ReadonlyMap<Address, string>;
  /** Used endpoints of this node, by {@link addressKey} of the endpoint itself. */
  readonly localEndpoints: ReadonlySet<string>;
}

/** What is dialled at an address. */
export function addressKey(address: Address, protocol: Protocol, port: number): string {
  return `${address} ${protocol} ${port}`;
}

/** What is dialled at the node. */
export function nodePortKey(family: Family, protocol: Protocol, port: number): string {
  return `node ${family} ${protocol} ${port}`;
}

/** Of two Services that claim the same, the older has it, then the first by name. */
export function buildServiceTable(state: ClusterState, node: ResolverNode, host: Host): ServiceTable {
  const entries = new Map<string, FrontendEntry>();
  const clusterIps = new Map<Address, string>();
  const services = [...state.services].sort(byCreation);
  for (const service of services) {
    const slices = [...state.slicesOf(service.key)];
    for (const address of Object.values(service.clusterIps)) {
      if (!clusterIps.has(address)) clusterIps.set(address, service.key);
    }
    for (const entry of entriesOf(service, slices, node)) {
      const key = keyOf(entry.frontend);
      if (!entries.has(key)) entries.set(key, entry);
    }
  }
  const localEndpoints = new Set([...entries.values()].flatMap(usedLocalEndpoints));
  return { node, host, entries, clusterIps, localEndpoints };
}

function byCreation(a: Service, b: Service): number {
  return a.createdAt - b.createdAt || (a.key < b.key ? -1 : 1);
}

function entriesOf(service: Service, slices: readonly EndpointSlice[], node: ResolverNode): FrontendEntry[] {
  return familiesOf(service).flatMap((family) =>
    service.ports.flatMap((port) => {
      const backends = backendsOf(slices, { port, family, nodeName: node.name });
      const usable = usableBackends(backends, node);
      const frontends = frontendsOf(service, { port, family });
      return frontends.map((frontend) => ({ service, kind: frontend.kind, frontend, backends, usable }));
    }),
  );
}

function keyOf({ family, address, servicePort, port }: Frontend): string {
  const { protocol } = servicePort;
  return address === undefined ? nodePortKey(family, protocol, port) : addressKey(address, protocol, port);
}

function usedLocalEndpoints({ kind, frontend, usable }: FrontendEntry): string[] {
  const local = frontend.policy === 'Local';
  const lists = local ? [...usable.local, ...(kind === 'cluster-ip' ? [] : usable.cluster)] : usable.cluster;
  const used = lists.filter((backend) => backend.isLocal);
  return used.map(({ address, port }) => addressKey(address, frontend.servicePort.protocol, port));
}
