// Where a pod is: the device that leads to it, and the MAC addresses on the way.
import type { Address } from '../../net/address.ts';
import type { Link, Network, WayTo } from './network.ts';

/** All that a slot needs to know of a pod besides the port. */
export interface Location {
  readonly device: string;
  readonly ifindex: number;
  readonly l3if: number;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly gatewayMac: Uint8Array;
  /** What packets to the pod must not miss on the way out of its device. */
  readonly egress?: string;
}

/** Not to be found, and why. `ask` is the device on which the pod's MAC address is to be asked for. */
export interface Unlocated {
  readonly reason: string;
  readonly ask?: string;
}

/** Finds a pod behind a veth of its own, or behind the port of a bridge. */
export function locate(address: Address, way: WayTo | undefined, network: Network): Location | Unlocated {
  if (way === undefined) return { reason: 'no route leads to it' };
  if (way.isLocal) return { reason: 'it is an address of this node' };
  if (way.hasGateway) return { reason: `it is behind a gateway on ${way.device}` };
  const first = network.links.get(way.device);
  if (first === undefined) return { reason: `there is no device ${way.device}` };
  const mac = network.neighbours.get(`${way.device} ${address}`);
  if (first.kind !== 'bridge') return atDevice(first, { first, mac });
  if (mac === undefined) return { reason: `its MAC address on ${first.name} is not known`, ask: first.name };
  const name = network.ports.get(`${first.name} ${mac}`);
  const port = name === undefined ? undefined : network.links.get(name);
  if (port === undefined) return { reason: `the port of ${first.name} that leads to it is not known`, ask: first.name };
  return atDevice(port, { first, mac });
}

function atDevice(device: Link, { first, mac }: { first: Link; mac: string | undefined }): Location | Unlocated {
  const { name, kind, ifindex, mtu } = device;
  if (kind !== 'veth') return { reason: `${name} is no veth${kind === '' ? '' : `, but a ${kind}`}` };
  if (device === first && device.master !== undefined) return { reason: `${name} is a port of ${device.master}` };
  if (!device.leadsAway) return { reason: `${name} does not lead to another network namespace` };
  if (mac === undefined) return { reason: `its MAC address on ${first.name} is not known`, ask: first.name };
  return { device: name, ifindex, l3if: first.ifindex, mtu, mac: macBytes(mac), gatewayMac: macBytes(first.mac) };
}

function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}
