// Where a pod is: the device that leads to it, and the MAC addresses on the way.
import type { Address } from '../../net/address.ts';
import type { Link, NetworkState, RouteResult } from './network-state.ts';

/** All that a slot needs to know of a pod besides the port. */
export interface PodLocation {
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
export interface UnknownLocation {
  readonly reason: string;
  readonly probeDevice?: string;
}

/** Finds a pod behind a veth of its own, or behind the port of a bridge. */
export function locatePod(
  address: Address,
  route: RouteResult | undefined,
  network: NetworkState,
): PodLocation | UnknownLocation {
  if (route === undefined) return { reason: 'no route leads to it' };
  if (route.isLocal) return { reason: 'it is an address of this node' };
  if (route.hasGateway) return { reason: `it is behind a gateway on ${route.device}` };
  const routeDevice = network.links.get(route.device);
  if (routeDevice === undefined) return { reason: `there is no device ${route.device}` };
  const mac = network.neighbours.get(`${route.device} ${address}`);
  if (routeDevice.kind !== 'bridge') return locationAt(routeDevice, { first: routeDevice, mac });
  if (mac === undefined)
    return { reason: `its MAC address on ${routeDevice.name} is not known`, probeDevice: routeDevice.name };
  const name = network.bridgePorts.get(`${routeDevice.name} ${mac}`);
  const port = name === undefined ? undefined : network.links.get(name);
  if (port === undefined)
    return { reason: `the port of ${routeDevice.name} that leads to it is not known`, probeDevice: routeDevice.name };
  return locationAt(port, { first: routeDevice, mac });
}

function locationAt(
  device: Link,
  { first: routeDevice, mac }: { first: Link; mac: string | undefined },
): PodLocation | UnknownLocation {
  const { name, kind, ifindex, mtu } = device;
  if (kind !== 'veth') return { reason: `${name} is no veth${kind === '' ? '' : `, but a ${kind}`}` };
  if (device === routeDevice && device.master !== undefined) return { reason: `${name} is a port of ${device.master}` };
  if (!device.hasPeerInOtherNetns) return { reason: `${name} does not lead to another network namespace` };
  if (mac === undefined)
    return { reason: `its MAC address on ${routeDevice.name} is not known`, probeDevice: routeDevice.name };
  return {
    device: name,
    ifindex,
    l3if: routeDevice.ifindex,
    mtu,
    mac: macBytes(mac),
    gatewayMac: macBytes(routeDevice.mac),
  };
}

function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}
