// All frontends of this node with their backends.

import type { Address } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Host } from '../../net/host.ts';
import type { Protocol } from '../../net/protocol.ts';
import type { NodeView } from '../../nftables/compile/node-view.ts';
import { familiesWithoutClusterIp } from '../../services/allocation/complete-service.ts';
import { type Backend, backendsOf } from '../../services/model/backends.ts';
import { type Frontend, type FrontendKind, frontendsOf } from '../../services/model/frontends.ts';
import type { EndpointSlice } from '../../services/objects/endpoint-slice.ts';
import type { Service } from '../../services/objects/service.ts';
import { type UsableBackends, usableBackends } from './usable-backends.ts';

interface ClusterState {
  readonly services: Iterable<Service>;
  readonly slicesOf: (service: string) => Iterable<EndpointSlice>;
  /** All slices. */
  readonly slices: Iterable<EndpointSlice>;
}

/** The properties of the node that the outcome depends on. */
type ResolverNode = Pick<
  NodeView,
  | 'name'
  | 'zone'
  | 'masqueradeAll'
  | 'strictSourceRanges'
  | 'addresses'
  | 'ownAddresses'
  | 'detectLocal'
  | 'nodePortIps'
  | 'localhostNodePorts'
  | 'serviceCidrs'
  | 'routeSources'
>;

/** A frontend with its backends. */
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
  readonly slicesOf: ClusterState['slicesOf'];
  /** By {@link addressKey}, or {@link nodePortKey}. */
  readonly entries: ReadonlyMap<string, FrontendEntry>;
  /** Services by cluster IP, including those without ports. */
  readonly clusterIps: ReadonlyMap<Address, string>;
  /** Services of which nothing is served in a family, because they have no cluster IP, by {@link portKey}. */
  readonly unserved: ReadonlyMap<string, string>;
  /** Those that are also the address of an endpoint or of the node: nothing is refused there. */
  readonly clusterIpsInUse: ReadonlySet<Address>;
  /** The {@link addressKey}s of the endpoints on this node. */
  readonly localEndpoints: ReadonlySet<string>;
}

/** Identifies a frontend with an address, or an endpoint. */
export function addressKey(address: Address, protocol: Protocol, port: number): string {
  return `${address} ${protocol} ${port}`;
}

/** Identifies a node port. */
export function nodePortKey(family: Family, protocol: Protocol, port: number): string {
  return `node ${family} ${protocol} ${port}`;
}

/** Identifies a port at any address. */
export function portKey(family: Family, protocol: Protocol, port: number): string {
  return `${family} ${protocol} ${port}`;
}

/** A frontend of two Services belongs to the older one, or to the first by name. No node port takes health checks. */
export function buildServiceTable(state: ClusterState, node: ResolverNode, host: Host): ServiceTable {
  const entries = new Map<string, FrontendEntry>();
  const clusterIps = new Map<Address, string>();
  const services = [...state.services].sort(byCreation);
  const healthChecks = new Set(services.flatMap(healthCheckKeys));
  const unserved = new Map(services.flatMap(unservedPorts));
  for (const service of services) {
    const slices = [...state.slicesOf(service.key)];
    for (const address of Object.values(service.clusterIps)) {
      if (!clusterIps.has(address)) clusterIps.set(address, service.key);
    }
    for (const entry of entriesOf(service, slices, node)) {
      const key = keyOf(entry.frontend);
      if (!entries.has(key) && !healthChecks.has(key)) entries.set(key, entry);
    }
  }
  const localEndpoints = new Set([...entries.values()].flatMap(localEndpointsOf));
  const clusterIpsInUse = new Set(otherAddresses(state, node).filter((address) => clusterIps.has(address)));
  return { node, host, slicesOf: state.slicesOf, entries, clusterIps, unserved, clusterIpsInUse, localEndpoints };
}

function otherAddresses({ slices }: ClusterState, { ownAddresses }: ResolverNode): Address[] {
  return [...ownAddresses, ...[...slices].flatMap(({ endpoints }) => endpoints.map(({ address }) => address))];
}

function healthCheckKeys({ families, healthCheckNodePort: port }: Service): string[] {
  return port === 0 ? [] : families.map((family) => nodePortKey(family, 'tcp', port));
}

function unservedPorts(service: Service): [string, string][] {
  return familiesWithoutClusterIp(service).flatMap((family) =>
    service.ports
      .filter((port) => frontendsOf(service, { port, family }).length === 0)
      .map(({ protocol, port }): [string, string] => [portKey(family, protocol, port), service.key]),
  );
}

function byCreation(a: Service, b: Service): number {
  return a.createdAt - b.createdAt || (a.key < b.key ? -1 : 1);
}

function entriesOf(service: Service, slices: readonly EndpointSlice[], node: ResolverNode): FrontendEntry[] {
  return service.families.flatMap((family) =>
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

/** Those that are not used, too: they still answer on their connections. */
function localEndpointsOf({ frontend, backends }: FrontendEntry): string[] {
  const local = backends.filter((backend) => backend.isLocal);
  return local.map(({ address, port }) => addressKey(address, frontend.servicePort.protocol, port));
}
