// Tests of where pods are found, and of the reasons for which they are not.
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
  const neighbours = new Map([VETH, BRIDGE].map(({ name }) => [`${name} 10.1.0.1`, POD_MAC]));
  const ports = new Map([[`cni0 ${POD_MAC}`, 'veth8']]);
  return {
    links: new Map(links.map((link) => [link.name, link])),
    neighbours,
    bridgePorts: ports,
    stale: new Set(),
    defaultRouteDevices: [],
    ...more,
  };
}

const by = (device: string, rest: Partial<RouteResult> = {}): RouteResult => ({
  device,
  isLocal: false,
  hasGateway: false,
  ...rest,
});
const bytes = (last: number) => new Uint8Array([2, 0, 0, 0, 0, last]);

t.test('a routed pod is behind its own device', async (t) => {
  t.strictSame(locatePod('10.1.0.1', by('veth7'), networkOf([VETH])), {
    ...{ device: 'veth7', ifindex: 7, l3if: 7, mtu: 1400 },
    ...{ mac: bytes(0xaa), gatewayMac: bytes(7) },
  });
});

t.test('a pod behind a bridge is behind the port that its MAC address is at', async (t) => {
  t.strictSame(locatePod('10.1.0.1', by('cni0'), networkOf([BRIDGE, PORT])), {
    ...{ device: 'veth8', ifindex: 8, l3if: 3, mtu: 1400 },
    ...{ mac: bytes(0xaa), gatewayMac: bytes(3) },
  });
});

t.test('others are not found, with a reason', async (t) => {
  const none = { neighbours: new Map() };
  const cases: readonly [string, RouteResult | undefined, NetworkState, RegExp, string?][] = [
    ['no route', undefined, networkOf([VETH]), /no route/],
    ['the node itself', by('lo', { isLocal: true }), networkOf([VETH]), /address of this node/],
    ['another node', by('veth7', { hasGateway: true }), networkOf([VETH]), /behind a gateway/],
    ['a device that has gone', by('veth9'), networkOf([VETH]), /no device veth9/],
    ['hardware', by('veth7'), networkOf([{ ...VETH, kind: '' }]), /veth7 is no veth/],
    ['a tap', by('veth7'), networkOf([{ ...VETH, kind: 'tun' }]), /but a tun/],
    [
      'a pair in one namespace',
      by('veth7'),
      networkOf([{ ...VETH, hasPeerInOtherNetns: false }]),
      /does not lead to another/,
    ],
    ['no neighbour', by('veth7'), networkOf([VETH], none), /MAC address on veth7 is not known/, 'veth7'],
    ['no neighbour on a bridge', by('cni0'), networkOf([BRIDGE], none), /MAC address on cni0/, 'cni0'],
    ['no port', by('cni0'), networkOf([BRIDGE, PORT], { bridgePorts: new Map() }), /the port of cni0/, 'cni0'],
  ];
  for (const [words, way, network, reason, ask] of cases) {
    const found = locatePod('10.1.0.1', way, network);
    t.match(found, { reason }, words);
    t.equal('probeDevice' in found ? found.probeDevice : undefined, ask, words);
  }
});
