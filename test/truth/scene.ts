// The objects and flows of the truth test: Services of several kinds, and clients on every side of the node.

import type { Engine } from '../../src/engine/engine.ts';
import type { Packet } from '../../src/explain/flow/packet.ts';
import { familyOf } from '../../src/net/address.ts';
import type { Host } from '../../src/net/host.ts';
import { toRoute } from '../support/builders/arbitrary-packets.ts';
import { clusterIps, service } from '../support/builders/service.ts';
import { serviceCidr } from '../support/builders/service-cidr.ts';
import { endpoint, slice } from '../support/builders/slice.ts';
import { CLIENT, NODES, podAddresses } from '../support/netns/topology.ts';
import { engineFromObjects } from './scene-engine.ts';

export const TARGET_PORT = 8080;
/** Pods of node1, in the order in which they are added. */
export const PODS = ['a', 'b', 'shell'] as const;
const [A, B, SHELL] = PODS.map((_, index) => podAddresses('node1', index));
const C = podAddresses('node2', 0);
const LOAD_BALANCER = '198.51.100.77';

/** The names of the pods that answer, by address. */
export const POD_NAMES: Readonly<Record<string, string>> = Object.fromEntries([
  ...(
    [
      ['a', A],
      ['b', B],
      ['c', C],
    ] as const
  ).flatMap(([name, pod]) => [
    [pod?.ip, name],
    [pod?.ip6, name],
  ]),
]);

const here = { nodeName: 'node1' };

function objects() {
  const both = [
    { name: 'http', port: 80, protocol: 'TCP', targetPort: TARGET_PORT, nodePort: 30_080 },
    { name: 'dns', port: 53, protocol: 'UDP', targetPort: TARGET_PORT, nodePort: 30_053 },
  ];
  const ports = (family: string, addressType: string, name: string) => ({
    metadata: { name: `${name}-${family}` },
    addressType,
    ports: [
      { name: 'http', protocol: 'TCP', port: TARGET_PORT },
      { name: 'dns', protocol: 'UDP', port: TARGET_PORT },
    ],
  });
  const web = {
    spec: {
      type: 'LoadBalancer',
      ...clusterIps('172.30.0.10', 'fd00:30::10'),
      ports: both,
      loadBalancerSourceRanges: ['192.168.77.0/24'],
    },
    status: { loadBalancer: { ingress: [{ ip: LOAD_BALANCER }] } },
  };
  const local = {
    spec: {
      type: 'NodePort',
      ...clusterIps('172.30.0.20'),
      externalTrafficPolicy: 'Local',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: TARGET_PORT, nodePort: 30_090 }],
    },
  };
  const sticky = {
    spec: {
      ...clusterIps('172.30.0.30'),
      sessionAffinity: 'ClientIP',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: TARGET_PORT }],
    },
  };
  const all = (pick: 'ip' | 'ip6') => [A, B, C].map((pod, index) => endpoint(pod?.[pick] ?? '', index < 2 ? here : {}));
  return [
    serviceCidr('kubernetes', { spec: { cidrs: ['172.30.0.0/16', 'fd00:30::/112'] } }),
    service('shop/web', web),
    slice('shop/web', { ...ports('ip', 'IPv4', 'web'), endpoints: all('ip') }),
    slice('shop/web', { ...ports('ip6', 'IPv6', 'web'), endpoints: all('ip6') }),
    service('shop/local', local),
    slice('shop/local', { ...ports('ip', 'IPv4', 'local'), endpoints: [endpoint(A?.ip ?? '', here)] }),
    service('shop/sticky', sticky),
    slice('shop/sticky', { ...ports('ip', 'IPv4', 'sticky'), endpoints: [endpoint(B?.ip ?? '', here)] }),
  ];
}

/** An engine with the objects of the scene, on node1. */
export function sceneEngine(): Engine {
  return engineFromObjects(objects(), [NODES.node1.ip, NODES.node1.ip6]);
}

/** A flow that works while the ruleset is ours. */
export interface Flow {
  readonly name: string;
  readonly from: 'client' | 'shell' | 'node1';
  readonly packet: Packet;
}

export const FLOWS: readonly Flow[] = [
  flow('client', '172.30.0.10', 80),
  flow('client', '172.30.0.10', 53, 'udp'),
  flow('client', NODES.node1.ip, 30_080),
  flow('client', LOAD_BALANCER, 80),
  flow('client', NODES.node1.ip, 30_090),
  flow('client', '172.30.0.30', 80),
  flow('client', 'fd00:30::10', 80),
  flow('shell', '172.30.0.10', 80),
  flow('shell', '172.30.0.10', 53, 'udp'),
  flow('node1', '172.30.0.10', 80),
  flow('node1', '172.30.0.30', 80),
  flow('node1', NODES.node1.ip, 30_080),
];

function flow(from: Flow['from'], destination: string, port: number, protocol: 'tcp' | 'udp' = 'tcp'): Flow {
  const family = familyOf(destination);
  const sources = { client: CLIENT, shell: SHELL ?? CLIENT, node1: NODES.node1 };
  const inInterface = { client: 'lan', shell: 'pod-shell', node1: undefined }[from];
  const packet: Packet = {
    ...{ family, protocol, source: sources[from][family], sourcePort: 40_000 },
    ...{ destination, destinationPort: port, inInterface },
  };
  return { name: `${from} -> ${destination} ${protocol} ${port}`, from, packet };
}

/** The addresses and routes of node1. */
export const HOST: Host = {
  addresses: [NODES.node1.ip, NODES.node1.ip6, NODES.node1.gateway.ip, NODES.node1.gateway.ip6],
  routes: [
    ...PODS.flatMap((pod, index) => {
      const { ip, ip6 } = podAddresses('node1', index);
      return [toRoute(`${ip}/32`, `pod-${pod}`), toRoute(`${ip6}/128`, `pod-${pod}`)];
    }),
    toRoute('0.0.0.0/0', 'lan'),
    toRoute('::/0', 'lan'),
  ],
};
