// The namespaces of the measurements: a client with a link of its own to a node, which has a routed and a bridged pod.
import type { Namespace } from '../../support/netns/namespace.ts';
import { type Addresses, NODES, podAddresses } from '../../support/netns/topology.ts';
import { createWorld, type World } from '../../support/netns/world.ts';

export const PODS = ['routed', 'bridged'] as const;
export type PodName = (typeof PODS)[number];

/** The ends of the link; the bridge between the namespaces of the tests would only cost the sender time. */
export const NODE: Addresses = { ip: '192.0.2.1', ip6: 'fd00:78::1' };
export const CLIENT: Addresses = { ip: '192.0.2.2', ip6: 'fd00:78::2' };
export const UPLINK = 'uplink';
const CLIENT_LINK = 'straight';
const BRIDGE = 'cni0';

export interface Link {
  readonly ifindex: number;
  readonly address: string;
  readonly mtu: number;
}

export async function createPlace(): Promise<Place> {
  const world = await createWorld({ pods: { node1: PODS } });
  try {
    await connect(world);
    await bridge(world);
    await quieten(world);
    return new Place(world);
  } catch (error) {
    await world.destroy();
    throw error;
  }
}

export class Place {
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

  async link(place: Namespace, name: string): Promise<Link> {
    const [found]: Link[] = JSON.parse(await place.output('ip', ['-j', 'link', 'show', 'dev', name]));
    if (found === undefined) throw new Error(`Cannot find device "${name}"`);
    return found;
  }

  /** The device with the address of the pod's gateway. */
  gatewayOf(pod: PodName): string {
    return pod === 'bridged' ? BRIDGE : vethOf(pod);
  }

  /** Whether packets of more than the MTU pass between the namespaces, as they do with offloads. */
  async offloads(state: 'on' | 'off'): Promise<void> {
    const { client, node } = this;
    const devices = [
      [client, CLIENT_LINK],
      [node, UPLINK],
      ...PODS.flatMap((name) => [[node, vethOf(name)] as const, [this.pod(name), 'eth0'] as const]),
      [node, BRIDGE],
    ] as const;
    for (const [place, device] of devices) {
      await place.output('ethtool', ['-K', device, 'tso', state, 'gso', state, 'gro', state]);
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
    `link add name ${CLIENT_LINK} type veth peer name ${UPLINK} netns ${node1.name}`,
    `link set dev ${CLIENT_LINK} up`,
    `address add ${CLIENT.ip}/24 dev ${CLIENT_LINK}`,
    `address add ${CLIENT.ip6}/64 dev ${CLIENT_LINK} nodad`,
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

/** Puts a pod behind a bridge, which takes over the gateway's addresses. */
async function bridge(world: World): Promise<void> {
  const { gateway } = NODES.node1;
  const pod = world.pod('bridged');
  const veth = vethOf('bridged');
  await world.node1.configure([
    `link add name ${BRIDGE} type bridge forward_delay 0 mcast_snooping 0`,
    `link set dev ${BRIDGE} up`,
    `address delete ${gateway.ip}/32 dev ${veth}`,
    `address delete ${gateway.ip6}/128 dev ${veth}`,
    `link set dev ${veth} master ${BRIDGE}`,
    `address add ${gateway.ip}/32 dev ${BRIDGE}`,
    `address add ${gateway.ip6}/128 dev ${BRIDGE} nodad`,
    `route replace ${pod.ip}/32 dev ${BRIDGE}`,
    `route replace ${pod.ip6}/128 dev ${BRIDGE}`,
  ]);
  await pod.output('ip', ['neigh', 'flush', 'dev', 'eth0']);
}

/** Datagrams end in the pods before anybody would answer them. Ports come into use again at once. */
async function quieten(world: World): Promise<void> {
  await world.client.sysctl({ 'net.ipv4.tcp_tw_reuse': 1, 'net.ipv4.ip_local_port_range': '10240 65000' });
  for (const name of PODS) await sink(world.pod(name), 'eth0');
}

const SINK = 'sink';

/** Drops all UDP that comes in by a device, as early as anything but a program of BPF can. */
export async function sink(place: Namespace, device: string): Promise<void> {
  const chain = `chain ingress { type filter hook ingress device ${device} priority 0; meta l4proto udp counter drop; }`;
  await place.output('nft', ['-f', '-'], { input: `table netdev ${SINK} {\n${chain}\n}\n` });
}

export async function unsink(place: Namespace): Promise<void> {
  await place.output('nft', ['delete', 'table', 'netdev', SINK]);
}

/** How many packets have been dropped. */
export async function sunk(place: Namespace): Promise<number> {
  const listing = await place.output('nft', ['list', 'table', 'netdev', SINK]);
  const [, packets] = /counter packets (\d+)/.exec(listing) ?? [];
  if (packets === undefined) throw new Error(`Cannot count what came: ${listing}`);
  return Number(packets);
}
