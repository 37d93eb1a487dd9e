// Checks of ports and MTUs.

import * as z from 'zod/mini';
import { SHORT_TIMEOUT_MS } from '../host/process/system.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';
import { findSocketOwner, type ProcessInfo } from './machine/processes.ts';

/** The default ports of nftlane's servers, which are those of kube-proxy. */
const SERVER_PORTS = { 'metrics port': 10249, 'health port': 10256 } as const;

/** Whether another process uses the ports of nftlane's servers. */
export async function checkPorts(context: DoctorContext): Promise<Check[]> {
  const text = (await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(context.system.read))).join('\n');
  const daemonPid = context.daemon.daemon === 'running' ? context.daemon.state.pid : undefined;
  const checks: Check[] = [];
  for (const [name, port] of Object.entries(SERVER_PORTS)) {
    const inode = findListenerInode(text, port);
    const owner = inode === undefined ? undefined : await findSocketOwner(inode);
    const state = inode === undefined ? 'free' : 'taken';
    checks.push(portCheck(`${name} ${port}`, { state, owner, daemonPid }));
  }
  return checks;
}

interface PortState {
  readonly state: 'free' | 'taken';
  /** `undefined` if it cannot be found. */
  readonly owner: ProcessInfo | undefined;
  readonly daemonPid: number | undefined;
}

function portCheck(name: string, { state, owner, daemonPid }: PortState): Check {
  if (state === 'free') return ok(name, 'free');
  if (owner !== undefined && owner.pid === daemonPid) return ok(name, 'used by nftlane');
  const message = `used by ${owner === undefined ? 'an unknown process' : `${owner.name}, process ${owner.pid}`}`;
  const advice = 'stop the process, or configure another port';
  // Before a migration, kube-proxy uses these ports.
  return owner?.name === 'kube-proxy' || owner === undefined
    ? warning(name, message, advice)
    : problem(name, message, advice);
}

/** Finds the inode of the socket that listens on a port in the text of `/proc/net/tcp`. */
export function findListenerInode(text: string, port: number): string | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of text.split('\n')) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/ +/);
    if (state === '0A' && local.endsWith(`:${hex}`)) return inode;
  }
  return undefined;
}

/** A local port that is also a node port makes the node port unreachable for the peer of that connection. */
export async function checkNodePortRange({ system, nodePortRange: [first, last] }: DoctorContext): Promise<Check[]> {
  const range = (await system.read('/proc/sys/net/ipv4/ip_local_port_range')).trim();
  const [from = 0, to = 0] = range.split(/\s+/).map(Number);
  const reserved = (await system.read('/proc/sys/net/ipv4/ip_local_reserved_ports')).trim();
  const name = 'node port range';
  if (from > last || to < first || isReserved(reserved, [first, last])) {
    return [ok(name, `${first}-${last} does not overlap the local port range, ${from}-${to}`)];
  }
  const message = `${first}-${last} overlaps the local port range, ${from}-${to}`;
  return [warning(name, message, `sysctl -w net.ipv4.ip_local_reserved_ports=${first}-${last}`)];
}

function isReserved(reserved: string, [first, last]: readonly [number, number]): boolean {
  return reserved.split(',').some((part) => {
    const [from = Number.NaN, to = from] = part.split('-').map(Number);
    return from <= first && to >= last;
  });
}

const LINKS = z.array(z.object({ ifname: z.string(), mtu: z.number(), link_type: z.string() }));
const HOP = z.object({ dev: z.optional(z.string()) });
const ROUTES = z.array(z.extend(HOP, { nexthops: z.optional(z.array(HOP)) }));

/** Packets of pods that exceed the MTU of the uplink are lost if the ICMP error does not reach the pod. */
export async function checkMtu({ system }: DoctorContext): Promise<Check[]> {
  const name = 'MTU';
  const runIp = async (...args: string[]) =>
    JSON.parse((await system.run('ip', ['-json', ...args], { timeoutMs: SHORT_TIMEOUT_MS })).stdout || '[]');
  const links = LINKS.parse(await runIp('link', 'show'));
  const routes = await Promise.all(['-4', '-6'].map((family) => runIp(family, 'route', 'show', 'default')));
  const hops = routes.flatMap((found) => ROUTES.parse(found)).flatMap((route) => route.nexthops ?? [route]);
  const uplinks = links.filter(({ ifname }) => hops.some(({ dev }) => dev === ifname));
  const [uplink] = uplinks.toSorted((a, b) => a.mtu - b.mtu);
  if (uplink === undefined) return [ok(name, 'no default route to compare with')];
  const others = links.filter((link) => !uplinks.includes(link) && link.link_type === 'ether');
  const larger = others.filter((link) => link.mtu > uplink.mtu).map((link) => `${link.ifname} ${link.mtu}`);
  if (larger.length === 0) return [ok(name, `no interface exceeds the MTU of ${uplink.ifname}, ${uplink.mtu}`)];
  const message = `above the ${uplink.mtu} bytes of ${uplink.ifname}: ${larger.slice(0, 5).join(', ')}`;
  const advice =
    'set the MTU of pods to that of the uplink minus the overhead of the network plugin, or allow ICMP "packet too big"';
  return [warning(name, message, advice)];
}
