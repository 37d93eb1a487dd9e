// The network of the benches: a client with a direct link to a node, which has a routed and a bridged pod.

import { movePodBehindBridge } from '../../support/bpf/pod-devices.ts';
import { cleanUpOnError } from '../../support/clean-up-on-error.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { type Addresses, NODES, podAddresses } from '../../support/netns/topology.ts';
import { createWorld, type World } from '../../support/netns/world.ts';

export const PODS = ['routed', 'bridged'] as const;
export type PodName = (typeof PODS)[number];

/** The ends of the direct link. The bridge of the test networks would add to the sender's time. */
export const NODE: Addresses = { ip: '192.0.2.1', ip6: 'fd00:78::1' };
export const CLIENT: Addresses = { ip: '192.0.2.2', ip6: 'fd00:78::2' };
export const UPLINK = 'uplink';
const CLIENT_DEVICE = 'straight';
const BRIDGE = 'cni0';

export async function createBenchNetwork(): Promise<BenchNetwork> {
  const world = await createWorld({ pods: { node1: PODS } });
  return cleanUpOnError(
    () => world.destroy(),
    () => buildNetwork(world),
  );
}

async function buildNetwork(world: World): Promise<BenchNetwork> {
  await connect(world);
  const namespaces = { node: world.node1, pod: world.pod('bridged') };
  const devices = { veth: vethOf('bridged'), bridge: BRIDGE, gateway: NODES.node1.gateway };
  await movePodBehindBridge(namespaces, devices);
  await discardUdp(world);
  return new BenchNetwork(world);
}

export class BenchNetwork {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  get client(): Namespace {
    return this.#world.client;
  }

  get node(): Namespace {
    return this.#world.node1;
  }

  pod(name: PodName): Namespace {
    return this.#world.pod(name);
  }

  /** The device that has the pod's gateway address. */
  gatewayDevice(pod: PodName): string {
    return pod === 'bridged' ? BRIDGE : vethOf(pod);
  }

  /** With offloads, packets between the namespaces can be longer than the MTU. */
  async setOffloads(state: 'on' | 'off'): Promise<void> {
    const { client, node } = this;
    const devices = [
      [client, CLIENT_DEVICE],
      [node, UPLINK],
      ...PODS.flatMap((name) => [[node, vethOf(name)] as const, [this.pod(name), 'eth0'] as const]),
      [node, BRIDGE],
    ] as const;
    for (const [namespace, device] of devices) {
      await namespace.output('ethtool', ['-K', device, 'tso', state, 'gso', state, 'gro', state]);
    }
  }

  destroy(): Promise<void> {
    return this.#world.destroy();
  }
}

export function vethOf(pod: PodName): string {
  return `pod-${pod}`;
}

async function connect({ client, node1 }: World): Promise<void> {
  await client.configure([
    `link add name ${CLIENT_DEVICE} type veth peer name ${UPLINK} netns ${node1.name}`,
    `link set dev ${CLIENT_DEVICE} up`,
    `address add ${CLIENT.ip}/24 dev ${CLIENT_DEVICE}`,
    `address add ${CLIENT.ip6}/64 dev ${CLIENT_DEVICE} nodad`,
  ]);
  await node1.configure([
    `link set dev ${UPLINK} up`,
    `address add ${NODE.ip}/24 dev ${UPLINK}`,
    `address add ${NODE.ip6}/64 dev ${UPLINK} nodad`,
  ]);
  await client.configure(
    PODS.flatMap((_, n) => {
      const { ip, ip6 } = podAddresses('node1', n);
      return [`route add ${ip} via ${NODE.ip}`, `route add ${ip6} via ${NODE.ip6}`];
    }),
  );
}

/** Drops datagrams in the pods, before a reply, and lets the client reuse ports immediately. */
async function discardUdp(world: World): Promise<void> {
  await world.client.sysctl({ 'net.ipv4.tcp_tw_reuse': 1, 'net.ipv4.ip_local_port_range': '10240 65000' });
  for (const name of PODS) await addUdpDrop(world.pod(name), 'eth0');
}

const DROP_TABLE = 'sink';

/** Drops incoming UDP on a device in the ingress hook, the earliest one after BPF programs. */
export async function addUdpDrop(namespace: Namespace, device: string): Promise<void> {
  const chain = `chain ingress { type filter hook ingress device ${device} priority 0; meta l4proto udp counter drop; }`;
  await namespace.output('nft', ['-f', '-'], { input: `table netdev ${DROP_TABLE} {\n${chain}\n}\n` });
}

export async function removeUdpDrop(namespace: Namespace): Promise<void> {
  await namespace.output('nft', ['delete', 'table', 'netdev', DROP_TABLE]);
}

/** The number of dropped packets. */
export async function droppedPackets(namespace: Namespace): Promise<number> {
  const listing = await namespace.output('nft', ['list', 'table', 'netdev', DROP_TABLE]);
  const [, packets] = /counter packets (\d+)/.exec(listing) ?? [];
  if (packets === undefined) throw new Error(`Cannot read the counter: ${listing}`);
  return Number(packets);
}
