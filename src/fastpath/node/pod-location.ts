// Locates a pod: its device and the MAC addresses of the path.

import type { Address } from '../../net/address.ts';
import type { Link, NetworkState, RouteResult } from './network-state.ts';

/** The path to a pod, as stored in a slot. */
export interface PodLocation {
  readonly device: string;
  readonly ifindex: number;
  readonly l3if: number;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly gatewayMac: Uint8Array;
  /** The qdisc or program on egress of the device that packets must not bypass. */
  readonly egress?: string;
}

/** Why a pod was not found. `probeDevice` is where to resolve its MAC address. */
interface UnknownLocation {
  readonly reason: string;
  readonly probeDevice?: string;
}

/** Locates a pod behind its own veth or behind a bridge port. */
export function locatePod(
  address: Address,
  route: RouteResult | undefined,
  network: NetworkState,
): PodLocation | UnknownLocation {
  if (route === undefined) return { reason: 'no route to the pod' };
  if (route.isLocal) return { reason: 'its address belongs to this node' };
  if (route.hasGateway) return { reason: `behind a gateway on ${route.device}` };
  const routeDevice = network.links.get(route.device);
  if (routeDevice === undefined) return { reason: `device ${route.device} does not exist` };
  const mac = network.neighbors.get(`${route.device} ${address}`);
  if (routeDevice.kind !== 'bridge') return locationAt(routeDevice, { routeDevice, mac });
  if (mac === undefined)
    return { reason: `its MAC address on ${routeDevice.name} is unknown`, probeDevice: routeDevice.name };
  const name = network.bridgePorts.get(`${routeDevice.name} ${mac}`);
  const port = name === undefined ? undefined : network.links.get(name);
  if (port === undefined)
    return { reason: `its port on ${routeDevice.name} is unknown`, probeDevice: routeDevice.name };
  return locationAt(port, { routeDevice, mac });
}

function locationAt(
  device: Link,
  { routeDevice, mac }: { routeDevice: Link; mac: string | undefined },
): PodLocation | UnknownLocation {
  const { name, kind, ifindex, mtu } = device;
  if (kind !== 'veth') return { reason: `${name} is not a veth${kind === '' ? '' : `, but of kind ${kind}`}` };
  if (device === routeDevice && device.master !== undefined) return { reason: `${name} is a port of ${device.master}` };
  if (!device.hasPeerInOtherNetns) return { reason: `the peer of ${name} is not in another network namespace` };
  if (mac === undefined)
    return { reason: `its MAC address on ${routeDevice.name} is unknown`, probeDevice: routeDevice.name };
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
