// The cells of the conformance grid: client, destination, family and protocol.

import type { Packet } from '../../src/explain/flow/packet.ts';
import { FAMILIES, type Family } from '../../src/net/family.ts';
import { type Addresses, CLIENT, NODES } from '../support/netns/topology.ts';
import type { Transport } from '../support/netns/traffic/programs/messages.ts';
import { EXTERNAL, type GridService, VIP } from './services.ts';

/** The clients, and the interface of the tested node, `node1`, that their packets come in by. */
export const CLIENTS = {
  'a pod here': { namespace: 'shell', inInterface: 'pod-shell' },
  'a pod elsewhere': { namespace: 'far', inInterface: 'lan' },
  'the endpoint here itself': { namespace: 'a', inInterface: 'pod-a' },
  'the endpoint elsewhere itself': { namespace: 'c', inInterface: 'lan' },
  'a process of this node': { namespace: 'node1', inInterface: undefined },
  'a process of another node': { namespace: 'node2', inInterface: 'lan' },
  'a client outside': { namespace: 'client', inInterface: 'lan' },
} as const;

export type ClientName = keyof typeof CLIENTS;

/** A port without a listener on nodes and pods, but with one outside the cluster. */
export const WRONG_PORT = 1999;

export interface Cell {
  readonly client: ClientName;
  readonly destination: string;
  readonly policy: string;
  readonly endpoints: string;
  readonly family: Family;
  readonly protocol: Transport;
  readonly packet: Packet;
  readonly sticky: boolean;
}

type Destination = Pick<Cell, 'destination' | 'policy' | 'endpoints' | 'sticky'> & {
  readonly at: Addresses;
  readonly port: number;
  /** Only a process of the node can dial it. */
  readonly hostOnly?: boolean;
};

const LOOPBACK: Addresses = { ip: '127.0.0.1', ip6: '::1' };
const UNALLOCATED: Addresses = { ip: '172.30.200.1', ip6: 'fd00:30::c801' };
const { node1 } = NODES;

/** All destinations from all clients, in both families and both protocols. */
export function gridCells(services: readonly GridService[], addressOf: (namespace: string) => Addresses): Cell[] {
  const destinations = [...services.flatMap(destinationsOf), ...OTHERS];
  return Object.keys(CLIENTS).flatMap((name) => {
    const client = name as ClientName;
    const own = addressOf(CLIENTS[client].namespace);
    const reachable = destinations.filter(({ hostOnly }) => hostOnly !== true || client === 'a process of this node');
    return reachable.flatMap((destination) =>
      FAMILIES.flatMap((family) =>
        (['tcp', 'udp'] as const).map((protocol) => toCell(destination, { client, own, family, protocol })),
      ),
    );
  });
}

function destinationsOf({ policy, endpoints, sticky, at, port, nodePort }: GridService): Destination[] {
  const to = { policy, endpoints, sticky };
  return [
    { ...to, destination: 'load balancer address', at: VIP, port },
    { ...to, destination: 'external IP', at: EXTERNAL, port },
    { ...to, destination: 'node port', at: node1, port: nodePort },
    { ...to, destination: 'cluster IP', at, port },
    { ...to, destination: 'cluster IP, undefined port', at, port: WRONG_PORT },
    { ...to, destination: 'node port at another address of the node', at: node1.gateway, port: nodePort },
    { ...to, destination: 'node port at loopback', at: LOOPBACK, port: nodePort, hostOnly: true },
  ];
}

const NO_SERVICE = { policy: 'no Service', endpoints: '-', sticky: false };
const OTHERS: readonly Destination[] = [
  { ...NO_SERVICE, destination: 'unallocated address in the ServiceCIDR', at: UNALLOCATED, port: 80 },
  { ...NO_SERVICE, destination: 'external IP, undefined port', at: EXTERNAL, port: WRONG_PORT },
  { ...NO_SERVICE, destination: 'load balancer address, undefined port', at: VIP, port: WRONG_PORT },
  { ...NO_SERVICE, destination: 'node, not a node port', at: node1, port: WRONG_PORT },
];

function toCell(
  { at, port, destination, policy, endpoints, sticky }: Destination,
  { client, own, family, protocol }: { client: ClientName; own: Addresses; family: Family; protocol: Transport },
): Cell {
  const { inInterface } = CLIENTS[client];
  const source = client === 'a process of this node' ? ownSource(at, family) : own[family];
  const packet: Packet = {
    ...{ family, protocol, source, sourcePort: 40_000, destination: at[family], destinationPort: port, inInterface },
  };
  return { client, destination, policy, endpoints, family, protocol, packet, sticky };
}

/** The source address that the kernel selects: the interface's, or the destination itself when it is local. */
function ownSource(at: Addresses, family: Family): string {
  if (at === LOOPBACK || at === node1.gateway) return at[family];
  return at === EXTERNAL || at === VIP ? node1.gateway[family] : node1[family];
}

/** The addresses of a namespace. */
export function namespaceAddress(namespace: string, pod: (name: string) => Addresses): Addresses {
  if (namespace === 'client') return CLIENT;
  return namespace === 'node1' || namespace === 'node2' ? NODES[namespace] : pod(namespace);
}
