// The addresses of the test world and the ip commands that build it.
//
//             lan: a bridge in a namespace of its own, 192.168.77.0/24 fd00:77::/64
//        ┌──────────────────────┼──────────────────────┐
//        │ .100                 │ .1                   │ .2
//     client                  node1                  node2
//     default via node1       │  default via client  │  default via client
//                     ┌───────┴───────┐              │
//                   pod a           pod b          pod c
//                 10.1.1.10       10.1.1.11      10.1.2.10
//
// A node reaches its pods through veth pairs, and the pods of the other node over the lan. The nodes' default route only gives
// their own processes a route to Service addresses.

export type NodeName = 'node1' | 'node2';

export interface Addresses {
  readonly ip: string;
  readonly ip6: string;
}

interface NodeAddresses extends Addresses {
  /** The node's end of every pod's veth pair. */
  readonly gateway: Addresses;
  readonly pods: Addresses;
}

/** The ServiceCIDRs. The client routes them to node1. */
export const SERVICE_CIDRS: Addresses = { ip: '172.30.0.0/16', ip6: 'fd00:30::/112' };

/** The cluster CIDRs. */
export const POD_CIDRS: Addresses = { ip: '10.1.0.0/16', ip6: 'fd00:1::/32' };

export const CLIENT: Addresses = { ip: '192.168.77.100', ip6: 'fd00:77::100' };

export const NODES: Readonly<Record<NodeName, NodeAddresses>> = { node1: nodeAddresses(1), node2: nodeAddresses(2) };

/** The addresses of the nth pod of a node, counted from 0. */
export function podAddresses(node: NodeName, n: number): Addresses {
  const { ip, ip6 } = NODES[node].gateway;
  const host = 10 + n;
  return { ip: ip.replace(/1$/, `${host}`), ip6: ip6.replace(/1$/, `${host}`) };
}

/** Commands for the namespace of the lan, which also create the other ends in these namespaces. */
export function lanCommands(members: Readonly<Record<string, string>>): string[] {
  const ports = Object.entries(members).flatMap(([port, namespace]) => [
    `link add name ${port} type veth peer name lan netns ${namespace}`,
    `link set dev ${port} master bridge up`,
  ]);
  // With multicast snooping, neighbor solicitations would be dropped until there is a querier.
  return [
    'link set dev lo up',
    'link add name bridge type bridge forward_delay 0 mcast_snooping 0',
    'link set dev bridge up',
    ...ports,
  ];
}

/** Commands for the namespace of the client. */
export function clientCommands(): string[] {
  return [
    ...lanAddress(CLIENT),
    ...Object.values(NODES).flatMap(({ ip, ip6, pods }) => [
      `route add ${pods.ip} via ${ip}`,
      `route add ${pods.ip6} via ${ip6}`,
    ]),
    `route add default via ${NODES.node1.ip}`,
    `route add default via ${NODES.node1.ip6}`,
  ];
}

/** Commands for the namespace of a node. */
export function nodeCommands(node: NodeName): string[] {
  const other = NODES[node === 'node1' ? 'node2' : 'node1'];
  return [
    ...lanAddress(NODES[node]),
    `route add ${other.pods.ip} via ${other.ip}`,
    `route add ${other.pods.ip6} via ${other.ip6}`,
    `route add default via ${CLIENT.ip}`,
    `route add default via ${CLIENT.ip6}`,
  ];
}

/** Commands for a node that attach another pod. */
export function attachCommands(
  node: NodeName,
  link: string,
  { namespace, ip, ip6 }: Addresses & { namespace: string },
) {
  const { gateway } = NODES[node];
  return [
    `link add name ${link} type veth peer name eth0 netns ${namespace}`,
    `link set dev ${link} up`,
    `address add ${gateway.ip}/32 dev ${link}`,
    `address add ${gateway.ip6}/128 dev ${link} nodad`,
    `route add ${ip}/32 dev ${link}`,
    `route add ${ip6}/128 dev ${link}`,
  ];
}

/** Commands for the namespace of a pod. */
export function podCommands(node: NodeName, { ip, ip6 }: Addresses): string[] {
  const { gateway } = NODES[node];
  return [
    'link set dev lo up',
    'link set dev eth0 up',
    `address add ${ip}/32 dev eth0`,
    `address add ${ip6}/128 dev eth0 nodad`,
    `route add ${gateway.ip}/32 dev eth0`,
    `route add ${gateway.ip6}/128 dev eth0`,
    `route add default via ${gateway.ip} dev eth0`,
    `route add default via ${gateway.ip6} dev eth0`,
  ];
}

function lanAddress({ ip, ip6 }: Addresses): string[] {
  return [
    'link set dev lo up',
    'link set dev lan up',
    `address add ${ip}/24 dev lan`,
    `address add ${ip6}/64 dev lan nodad`,
  ];
}

function nodeAddresses(n: number): NodeAddresses {
  return {
    ip: `192.168.77.${n}`,
    ip6: `fd00:77::${n}`,
    gateway: { ip: `10.1.${n}.1`, ip6: `fd00:1:${n}::1` },
    pods: { ip: `10.1.${n}.0/24`, ip6: `fd00:1:${n}::/64` },
  };
}
