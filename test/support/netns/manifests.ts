// Manifests for the test world: its nodes, and Services with its pods as endpoints.

import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { node } from '../builders/node.ts';
import { clusterIps, service } from '../builders/service.ts';
import { serviceCidr } from '../builders/service-cidr.ts';
import { endpoint, slice } from '../builders/slice.ts';
import { type ApiObject, merge } from '../deployment/merge.ts';
import { type Addresses, NODES, type NodeName, POD_CIDRS, SERVICE_CIDRS } from './topology.ts';
import type { Transport } from './traffic/programs/messages.ts';
import type { World } from './world.ts';

export interface PortSpec<Protocol extends string = Transport> {
  /** Optional for a Service with a single port. */
  readonly name?: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly targetPort: number;
  readonly nodePort?: number;
}

/** Writes a manifest atomically: a watcher of the directory sees either the old file or the new one. */
export async function writeManifest(directory: string, name: string, objects: readonly ApiObject[]): Promise<void> {
  const hidden = join(directory, `.${name}.new`);
  await writeFile(hidden, objects.map((object) => stringify(object)).join('---\n'));
  await rename(hidden, join(directory, name));
}

/** Both nodes, with their addresses on the lan. */
export function nodeObjects(): ApiObject[] {
  return Object.entries(NODES).map(([name, { ip, ip6 }]) =>
    node(name, { status: { addresses: [ip, ip6].map((address) => ({ type: 'InternalIP', address })) } }),
  );
}

export function serviceCidrObject(): ApiObject {
  return serviceCidr('kubernetes', { spec: { cidrs: [SERVICE_CIDRS.ip, SERVICE_CIDRS.ip6] } });
}

/** The nth pair of Service addresses. */
export function serviceAddresses(n: number): Addresses {
  return { ip: SERVICE_CIDRS.ip.replace('0/16', `${n}`), ip6: SERVICE_CIDRS.ip6.replace('/112', n.toString(16)) };
}

/** A Service with these cluster IPs, of type NodePort if a port has a node port. `name` is `namespace/name`. */
export function dualStackService(
  name: string,
  at: Addresses,
  { ports, overrides = {} }: { readonly ports: readonly PortSpec<string>[]; readonly overrides?: ApiObject },
): ApiObject {
  const type = ports.some(({ nodePort }) => nodePort !== undefined) ? 'NodePort' : 'ClusterIP';
  const spec = { ...clusterIps(at.ip, at.ip6), type, ports: ports.map(upperCase) };
  return service(name, merge({ spec }, overrides));
}

/** A pod as the endpoint of a Service. */
export interface EndpointPod extends Addresses {
  readonly nodeName: NodeName;
}

/** One slice per family, with all ports and these pods of a world. `name` is the `namespace/name` of the Service. */
export function sliceObjects(
  world: World,
  name: string,
  { ports, pods }: { readonly ports: readonly PortSpec<string>[]; readonly pods: readonly string[] },
): ApiObject[] {
  const endpoints = pods.map((pod) => {
    const { ip, ip6 } = world.pod(pod);
    return { ip, ip6, nodeName: world.nodeOf(pod) };
  });
  return dualStackSlices(name, ports, endpoints);
}

/** One slice per family, with all ports and endpoints. `name` is the `namespace/name` of the Service. */
export function dualStackSlices(
  name: string,
  ports: readonly PortSpec<string>[],
  pods: readonly EndpointPod[],
): ApiObject[] {
  const families = { IPv4: 'ip', IPv6: 'ip6' } as const;
  return Object.entries(families).map(([addressType, family]) => {
    const endpoints = pods.map((pod) => endpoint(pod[family], { nodeName: pod.nodeName }));
    const slicePorts = ports.map(({ name = '', protocol, targetPort }) => ({
      name,
      protocol: protocol.toUpperCase(),
      port: targetPort,
    }));
    const sliceName = `${name.split('/')[1]}-${addressType.toLowerCase()}`;
    return slice(name, { metadata: { name: sliceName }, addressType, ports: slicePorts, endpoints });
  });
}

/** The flags of a daemon on this node. */
export function nodeFlags(name: keyof typeof NODES): string[] {
  return ['--node-name', name, '--cluster-cidr', `${POD_CIDRS.ip},${POD_CIDRS.ip6}`];
}

function upperCase({ protocol, ...rest }: PortSpec<string>): ApiObject {
  return { ...rest, protocol: protocol.toUpperCase() };
}
