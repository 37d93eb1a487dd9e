// The network of BPF tests: addresses, devices and ports, and the script that creates them.

import type { Family } from '../../../src/net/family.ts';
import type { EthernetAddresses } from './frames.ts';

/** The MAC addresses of the node (on the uplink and towards the pod), the router and the pod. */
export const MAC = {
  uplink: '02:00:00:00:00:01',
  router: '02:00:00:00:00:02',
  gateway: '02:00:00:00:00:11',
  pod: '02:00:00:00:00:12',
};

/** The Ethernet headers on each leg of a flow. The redirect writes the one towards the client. */
export const ETHERNET_HEADERS = {
  fromClient: { from: MAC.router, to: MAC.uplink },
  toPod: { from: MAC.gateway, to: MAC.pod },
  fromPod: { from: MAC.pod, to: MAC.gateway },
} satisfies Record<string, EthernetAddresses>;

export interface TestAddresses {
  readonly node: string;
  readonly pod: string;
  readonly pod2: string;
  /** Clients behind the uplink, behind the other uplink, without a route, and in the excluded sources. */
  readonly client: string;
  readonly otherUplinkClient: string;
  readonly unroutableClient: string;
  readonly excludedClient: string;
}

export const ADDRESSES: Readonly<Record<Family, TestAddresses>> = {
  ip: {
    node: '192.0.2.1',
    pod: '10.9.0.2',
    pod2: '10.9.0.3',
    client: '198.51.100.7',
    otherUplinkClient: '203.0.113.7',
    unroutableClient: '100.64.0.7',
    excludedClient: '198.51.100.200',
  },
  ip6: {
    node: 'fd00:1::1',
    pod: 'fd00:9::2',
    pod2: 'fd00:9::3',
    client: 'fd00:2::7',
    otherUplinkClient: 'fd00:3::7',
    unroutableClient: 'fd00:4::7',
    excludedClient: 'fd00:2::200',
  },
};

export const DEVICE = { uplink: 10, other: 12, pod: 14, pod2: 16 };
export const MTU = 1300;
export const SERVICE_PORT = 30080;
/** The port of a second frontend with the same backends. */
export const SECOND_PORT = 30081;
export const POD_PORT = 8080;

/** Mounts the BPF file system on its argument. Prints "ready", and exits at the end of its input. */
export const SETUP_SCRIPT = `
set -e
mount -t bpf bpf "$1"
ip link add up0 index 10 address ${MAC.uplink} mtu ${MTU} type veth peer name lan0 index 11 address ${MAC.router}
ip link add up1 index 12 type veth peer name lan1 index 13
ip link add pod0 index 14 address ${MAC.gateway} mtu ${MTU} type veth peer name eth0 index 15 address ${MAC.pod}
ip link add pod1 index 16 address ${MAC.gateway} mtu ${MTU} type veth peer name eth1 index 17 address ${MAC.pod}
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
for d in up0 lan0 up1 lan1 pod0 eth0 pod1 eth1; do
  sysctl -qw net.ipv6.conf.$d.accept_dad=0
  ip link set $d up
done
ip -batch - <<END
address add 192.0.2.1/24 dev up0
address add fd00:1::1/64 dev up0 nodad
address add 192.0.3.1/24 dev up1
address add fd00:5::1/64 dev up1 nodad
route add 198.51.100.0/24 via 192.0.2.254 dev up0
route add fd00:2::/64 via fd00:1::fe dev up0
route add 203.0.113.0/24 via 192.0.3.254 dev up1
route add fd00:3::/64 via fd00:5::fe dev up1
route add 10.9.0.2 dev pod0
route add 10.9.0.3 dev pod1
route add fd00:9::2 dev pod0
route add fd00:9::3 dev pod1
END
echo ready
exec cat
`;
