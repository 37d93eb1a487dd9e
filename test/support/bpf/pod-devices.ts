// The devices between a node and its pods.

import type { BackendValue } from '../../../src/fastpath/maps/entries.ts';
import type { Namespace } from '../netns/namespace.ts';
import type { Addresses } from '../netns/topology.ts';
import { mac } from './frames.ts';

export interface Link {
  readonly ifindex: number;
  /** The MAC address. */
  readonly address: string;
  readonly mtu: number;
}

export async function readLink(namespace: Namespace, name: string): Promise<Link> {
  const [found]: Link[] = JSON.parse(await namespace.output('ip', ['-j', 'link', 'show', 'dev', name]));
  if (found === undefined) throw new Error(`Cannot find device "${name}"`);
  return found;
}

export type PodPath = Pick<BackendValue, 'ifindex' | 'l3if' | 'mtu' | 'mac' | 'gatewayMac'>;

/** The path from a node to a pod. `gateway` is the device that has the pod's gateway address. */
export async function podPath(
  { node, pod }: { node: Namespace; pod: Namespace },
  devices: { veth: string; gateway: string },
): Promise<PodPath> {
  const [veth, gateway] = [await readLink(node, devices.veth), await readLink(node, devices.gateway)];
  const { address } = await readLink(pod, 'eth0');
  const macs = { mac: mac(address), gatewayMac: mac(gateway.address) };
  return { ifindex: veth.ifindex, l3if: gateway.ifindex, mtu: veth.mtu, ...macs };
}

/** Puts a routed pod behind a new bridge, which takes over the gateway's addresses. */
export async function movePodBehindBridge(
  { node, pod }: { node: Namespace; pod: Namespace },
  { veth, bridge, gateway }: { veth: string; bridge: string; gateway: Addresses },
): Promise<void> {
  await node.configure([
    `link add name ${bridge} type bridge forward_delay 0 mcast_snooping 0`,
    `link set dev ${bridge} up`,
    `address delete ${gateway.ip}/32 dev ${veth}`,
    `address delete ${gateway.ip6}/128 dev ${veth}`,
    `link set dev ${veth} master ${bridge}`,
    `address add ${gateway.ip}/32 dev ${bridge}`,
    `address add ${gateway.ip6}/128 dev ${bridge} nodad`,
    `route replace ${pod.ip}/32 dev ${bridge}`,
    `route replace ${pod.ip6}/128 dev ${bridge}`,
  ]);
  await pod.output('ip', ['neigh', 'flush', 'dev', 'eth0']);
}
