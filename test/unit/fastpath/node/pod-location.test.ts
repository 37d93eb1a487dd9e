// Tests of src/fastpath/node/pod-location.ts.

import t from 'tap';
import type { Link, NetworkState, RouteResult } from '../../../../src/fastpath/node/network-state.ts';
import { locatePod } from '../../../../src/fastpath/node/pod-location.ts';

const VETH: Link = {
  ...{ ifindex: 7, name: 'veth7', mtu: 1400, mac: '02:00:00:00:00:07', type: 'ether', kind: 'veth' },
  ...{ master: undefined, hasPeerInOtherNetns: true },
};
const BRIDGE: Link = { ...VETH, ifindex: 3, name: 'cni0', mac: '02:00:00:00:00:03', kind: 'bridge' };
const PORT: Link = { ...VETH, ifindex: 8, name: 'veth8', master: 'cni0' };
const POD_MAC = '02:00:00:00:00:aa';

function networkOf(links: readonly Link[], more: Partial<NetworkState> = {}): NetworkState {
  const neighbors = new Map([VETH, BRIDGE].map(({ name }) => [`${name} 10.1.0.1`, POD_MAC]));
  const ports = new Map([[`cni0 ${POD_MAC}`, 'veth8']]);
  return {
    links: new Map(links.map((link) => [link.name, link])),
    neighbors,
    bridgePorts: ports,
    stale: new Set(),
    defaultRouteDevices: [],
    ...more,
  };
}

const through = (device: string, rest: Partial<RouteResult> = {}): RouteResult => ({
  device,
  isLocal: false,
  hasGateway: false,
  ...rest,
});
const bytes = (last: number) => new Uint8Array([2, 0, 0, 0, 0, last]);

t.test('locatePod() finds a routed pod behind its own device', async (t) => {
  t.strictSame(locatePod('10.1.0.1', through('veth7'), networkOf([VETH])), {
    ...{ device: 'veth7', ifindex: 7, l3if: 7, mtu: 1400 },
    ...{ mac: bytes(0xaa), gatewayMac: bytes(7) },
  });
});

t.test('locatePod() finds a bridged pod behind the port of its MAC address', async (t) => {
  t.strictSame(locatePod('10.1.0.1', through('cni0'), networkOf([BRIDGE, PORT])), {
    ...{ device: 'veth8', ifindex: 8, l3if: 3, mtu: 1400 },
    ...{ mac: bytes(0xaa), gatewayMac: bytes(3) },
  });
});

t.test('locatePod() gives the reason why a pod is not found', async (t) => {
  const none = { neighbors: new Map() };
  const cases: readonly [string, RouteResult | undefined, NetworkState, RegExp, string?][] = [
    ['no route', undefined, networkOf([VETH]), /no route/],
    ['the node itself', through('lo', { isLocal: true }), networkOf([VETH]), /belongs to this node/],
    ['another node', through('veth7', { hasGateway: true }), networkOf([VETH]), /behind a gateway/],
    ['a deleted device', through('veth9'), networkOf([VETH]), /device veth9 does not exist/],
    ['hardware', through('veth7'), networkOf([{ ...VETH, kind: '' }]), /veth7 is not a veth/],
    ['a tap', through('veth7'), networkOf([{ ...VETH, kind: 'tun' }]), /but of kind tun/],
    [
      'a pair in one namespace',
      through('veth7'),
      networkOf([{ ...VETH, hasPeerInOtherNetns: false }]),
      /peer of veth7 is not in another/,
    ],
    ['no neighbor', through('veth7'), networkOf([VETH], none), /MAC address on veth7 is unknown/, 'veth7'],
    ['no neighbor on a bridge', through('cni0'), networkOf([BRIDGE], none), /MAC address on cni0/, 'cni0'],
    ['no port', through('cni0'), networkOf([BRIDGE, PORT], { bridgePorts: new Map() }), /port on cni0/, 'cni0'],
  ];
  for (const [message, route, network, reason, probeDevice] of cases) {
    const found = locatePod('10.1.0.1', route, network);
    t.match(found, { reason }, message);
    t.equal('probeDevice' in found ? found.probeDevice : undefined, probeDevice, message);
  }
});
