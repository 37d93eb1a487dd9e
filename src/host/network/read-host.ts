// Reads the addresses and routes of this host from the kernel.

import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { type Address, addressFromBits, parseAddress } from '../../net/address.ts';
import type { Host, HostRoute } from '../../net/host.ts';
import { parsePrefix } from '../../net/prefix.ts';

/** Of this network namespace, and of the main routing table. */
export async function readHost(): Promise<Host> {
  const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const parsed = entries.map(({ address }) => parseAddress(address));
  const [routes, routes6] = await Promise.all(['/proc/net/route', '/proc/net/ipv6_route'].map(readOrEmpty));
  const addresses = parsed.filter((address): address is Address => address !== undefined);
  return { addresses, routes: [...parseRoutes(routes ?? ''), ...parseRoutes6(routes6 ?? '')] };
}

/** A kernel without IPv6 lacks `/proc/net/ipv6_route`. */
async function readOrEmpty(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

const UP = 0x1;
/** Routes of type unreachable, prohibit or blackhole. */
const REJECT = 0x200;

/** Reads `/proc/net/route`: interface, destination, gateway, flags, ..., mask; in hexadecimal and the host's byte order. */
export function parseRoutes(text: string): HostRoute[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', destination = '', , flags = '', , , , mask = ''] = line.split('\t');
    if (!/^[0-9A-F]{8}$/.test(destination) || !isUsable(flags)) return [];
    const address = addressFromBits(BigInt(fromHostOrder(destination)), 'ip');
    const length = fromHostOrder(mask).toString(2).replaceAll('0', '').length;
    return toRoute(`${address}/${length}`, name);
  });
}

/** Reads `/proc/net/ipv6_route`: destination, prefix length, ..., flags, interface; in hexadecimal. */
export function parseRoutes6(text: string): HostRoute[] {
  return text.split('\n').flatMap((line) => {
    const [destination = '', length = '', , , , , , , flags = '', name = ''] = line.trim().split(/ +/);
    if (!/^[0-9a-f]{32}$/.test(destination) || !isUsable(flags)) return [];
    return toRoute(`${addressFromBits(BigInt(`0x${destination}`), 'ip6')}/${Number.parseInt(length, 16)}`, name);
  });
}

function isUsable(flags: string): boolean {
  const bits = Number.parseInt(flags, 16);
  return (bits & UP) !== 0 && (bits & REJECT) === 0;
}

function fromHostOrder(hex: string): number {
  return Buffer.from(hex, 'hex').readUInt32LE();
}

function toRoute(block: string, name: string): HostRoute[] {
  const prefix = parsePrefix(block);
  return prefix === undefined ? [] : [{ prefix, interface: name }];
}
