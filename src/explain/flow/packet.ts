// The first packet of a flow as a node meets it, and what there is to know of the host that it meets.
import { type Address, isLoopback } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { contains, type Prefix } from '../../net/prefix.ts';
import type { Protocol } from '../../net/protocol.ts';

/** The first packet of a flow. */
export interface Packet {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
  /** The interface that it comes in by; `undefined` when a process of this host sends it. */
  readonly inInterface: string | undefined;
}

/** Where the host sends packets for a block of addresses. */
export interface HostRoute {
  readonly prefix: Prefix;
  readonly interface: string;
}

/** The host as far as a packet's way depends on it. */
export interface Host {
  /** Addresses of its interfaces. Loopback is its own whether it is listed or not. */
  readonly addresses: readonly Address[];
  readonly routes: readonly HostRoute[];
}

/** Whether packets to this address end at the host. */
export function isHostAddress(host: Host, address: Address): boolean {
  return isLoopback(address) || host.addresses.includes(address);
}

/** The interface by which packets to this address leave: that of the longest block; `undefined` without a route. */
export function outputInterface(host: Host, address: Address): string | undefined {
  const matching = host.routes.filter(({ prefix }) => contains(prefix, address));
  const longest = Math.max(...matching.map(({ prefix }) => prefix.length));
  return matching.find(({ prefix }) => prefix.length === longest)?.interface;
}
