// The addresses and routes of a host.

import { type Address, isLoopback } from './address.ts';
import { contains, type Prefix } from './prefix.ts';

/** The interface by which the host sends packets for a block of addresses. */
export interface HostRoute {
  readonly prefix: Prefix;
  readonly interface: string;
}

/** A source that routes through this link prefer, as `src` of `ip route`. */
export interface RouteSource {
  readonly address: Address;
  readonly link: string;
}

export interface Host {
  /** The addresses of its interfaces. Loopback addresses belong to the host even if they are missing here. */
  readonly addresses: readonly Address[];
  readonly routes: readonly HostRoute[];
}

/** Whether the host itself receives packets to this address. */
export function isHostAddress(host: Host, address: Address): boolean {
  return isLoopback(address) || host.addresses.includes(address);
}

/** The interface by which packets to this address leave, by the longest prefix; `undefined` without a route. */
export function outputInterface(host: Host, address: Address): string | undefined {
  const matching = host.routes.filter(({ prefix }) => contains(prefix, address));
  const longest = Math.max(...matching.map(({ prefix }) => prefix.length));
  return matching.find(({ prefix }) => prefix.length === longest)?.interface;
}
