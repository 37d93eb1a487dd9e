// Random packets to, from and beside the cluster of arbitrary-events.ts, and hosts that receive them.

import fc from 'fast-check';
import type { Packet } from '../../../src/explain/flow/packet.ts';
import { isLoopback } from '../../../src/net/address.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import type { Host, HostRoute } from '../../../src/net/host.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import type { Frontend } from '../../../src/services/model/frontends.ts';

/** Frontends, other addresses nearby, node addresses, loopback, endpoints, and external addresses. */
const DESTINATIONS: Readonly<Record<Family, readonly string[]>> = {
  ip: [
    ...['10.96.0.1', '10.96.0.1', '10.96.0.2', '10.96.0.2', '10.96.0.3', '10.200.0.5', '192.0.2.7', '192.0.2.8'],
    ...[
      '192.0.2.7',
      '192.0.2.9',
      '192.0.2.1',
      '192.0.2.1',
      '192.0.2.2',
      '127.0.0.1',
      '10.1.0.1',
      '10.1.0.4',
      '8.8.8.8',
    ],
  ],
  ip6: [
    'fd00::1',
    'fd00::1',
    'fd00::2',
    'fd00::3',
    'fd00::4',
    'fd00::7',
    'fd00::7',
    'fd00::9',
    '::1',
    'fd01::1',
    '2001:db8::1',
  ],
};

/** Endpoints, another pod, the host, a load balancer address, an external address, and loopback. */
const SOURCES: Readonly<Record<Family, readonly string[]>> = {
  ip: ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.77', '192.0.2.1', '192.0.2.7', '203.0.113.5', '127.0.0.1'],
  ip6: ['fd01::1', 'fd01::2', 'fd01::3', 'fd01::77', 'fd00::9', 'fd00::7', '2001:db8::5', '::1'],
};

const HOST_ADDRESSES = ['192.0.2.1', 'fd00::9', '10.1.0.3', 'fd01::3', '10.96.0.2', 'fd00::2'];

export const INTERFACES = ['pod-a', 'pod-b', 'lan'];

/** A packet from a pod, an external client, or a process of the host. */
export function packets(): fc.Arbitrary<Packet> {
  return fc.constantFrom(...FAMILIES).chain((family) =>
    fc
      .record({
        family: fc.constant(family),
        protocol: fc.constantFrom('tcp', 'tcp', 'udp', 'sctp'),
        source: fc.constantFrom(...SOURCES[family]),
        sourcePort: fc.constant(40_000),
        destination: fc.constantFrom(...DESTINATIONS[family]),
        destinationPort: fc.constantFrom(53, 17, 53, 17, 30001, 30002, 9),
        inInterface: fc.constantFrom(...INTERFACES, undefined),
      })
      .map(loopbackStaysOnHost),
  );
}

/** The kernel sends no packet with a loopback source to other addresses. */
function loopbackStaysOnHost(packet: Packet): Packet {
  const { family, source } = packet;
  return isLoopback(source)
    ? { ...packet, destination: family === 'ip' ? '127.0.0.1' : '::1', inInterface: undefined }
    : packet;
}

/** A packet and the number of the frontend to send it to; `undefined` to keep its destination. */
export interface AimedPacket {
  readonly packet: Packet;
  readonly frontendIndex: number | undefined;
}

export function aimedPackets(): fc.Arbitrary<AimedPacket> {
  const frontendIndex = fc.oneof(
    { arbitrary: fc.nat(999), weight: 3 },
    { arbitrary: fc.constant(undefined), weight: 2 },
  );
  return fc.record({ packet: packets(), frontendIndex });
}

/** The packet with the frontend as its destination. For a node port, the destination address is kept. */
export function atFrontend({ packet, frontendIndex }: AimedPacket, frontends: readonly Frontend[]): Packet {
  const fromLoopback = isLoopback(packet.source);
  const ofFamily = frontends.filter(
    ({ family, address }) => family === packet.family && !(fromLoopback && address !== undefined),
  );
  const frontend = frontendIndex === undefined ? undefined : ofFamily[frontendIndex % ofFamily.length];
  if (frontend === undefined) return packet;
  const { address = packet.destination, port, servicePort } = frontend;
  return { ...packet, protocol: servicePort.protocol, destination: address, destinationPort: port };
}

/** A host with its usual addresses, and sometimes that of an endpoint or Service. */
export function hosts(): fc.Arbitrary<Host> {
  const unusual = fc.subarray(HOST_ADDRESSES.slice(2), { maxLength: 1 });
  return unusual.map((more) => ({ addresses: [...HOST_ADDRESSES.slice(0, 2), ...more], routes: ROUTES }));
}

const ROUTES: readonly HostRoute[] = [
  toRoute('10.1.0.1/32', 'pod-a'),
  toRoute('10.1.0.2/32', 'pod-b'),
  toRoute('0.0.0.0/0', 'lan'),
  toRoute('fd01::1/128', 'pod-a'),
  toRoute('fd01::2/128', 'pod-b'),
  toRoute('::/0', 'lan'),
];

/** A route to a CIDR. */
export function toRoute(block: string, name: string): HostRoute {
  const prefix = parsePrefix(block);
  if (prefix === undefined) throw new Error(`Cannot route "${block}": not a prefix`);
  return { prefix, interface: name };
}
