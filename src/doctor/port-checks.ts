// Ports and packet sizes.
import * as z from 'zod/mini';
import { AdminSocketError, adminSocketPath, fetchState } from '../admin/admin-socket.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';
import { findSocketOwner } from './processes.ts';

/** Where our servers listen unless they are told otherwise, and kube-proxy's too. */
const SERVER_PORTS = { 'metrics port': 10249, 'health port': 10256 } as const;

export async function checkPorts(context: DoctorContext): Promise<Check[]> {
  const text = (await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(context.system.read))).join('\n');
  const daemon = await fetchState(adminSocketPath(context.runDir)).catch((error: unknown) => {
    if (error instanceof AdminSocketError) return undefined;
    throw error;
  });
  const checks: Check[] = [];
  for (const [name, port] of Object.entries(SERVER_PORTS)) {
    const inode = findListenerInode(text, port);
    const owner = inode === undefined ? undefined : await findSocketOwner(inode);
    checks.push(portCheck(`${name} ${port}`, inode !== undefined, { owner, own: daemon?.pid }));
  }
  return checks;
}

function portCheck(
  name: string,
  isTaken: boolean,
  {
    owner,
    own: daemonPid,
  }: { owner: { readonly pid: number; readonly name: string } | undefined; own: number | undefined },
): Check {
  if (!isTaken) return ok(name, 'free');
  if (owner !== undefined && owner.pid === daemonPid) return ok(name, 'taken by our daemon');
  const message = `taken by ${owner === undefined ? 'a process that cannot be seen from here' : `${owner.name}, process ${owner.pid}`}`;
  const advice = 'end it, or choose another port';
  // Before a migration that is as it should be.
  return owner?.name === 'kube-proxy' || owner === undefined
    ? warning(name, message, advice)
    : problem(name, message, advice);
}

/** The inode of the socket that listens on a port, in the text of `/proc/net/tcp`. */
export function findListenerInode(text: string, port: number): string | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of text.split('\n')) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/ +/);
    if (state === '0A' && local.endsWith(`:${hex}`)) return inode;
  }
  return undefined;
}

/** A process of this node that connects from a port which is also a node port makes that port unreachable for its peer. */
export async function checkNodePortRange({ system, nodePortRange: [first, last] }: DoctorContext): Promise<Check[]> {
  const range = (await system.read('/proc/sys/net/ipv4/ip_local_port_range')).trim();
  const [from = 0, to = 0] = range.split(/\s+/).map(Number);
  const reserved = (await system.read('/proc/sys/net/ipv4/ip_local_reserved_ports')).trim();
  const name = 'node port range';
  if (from > last || to < first || isReserved(reserved, [first, last])) {
    return [ok(name, `${first}-${last} is apart from the ports that this node connects from, ${from}-${to}`)];
  }
  const message = `${first}-${last} overlaps with the ports that this node connects from, ${from}-${to}`;
  return [warning(name, message, `sysctl -w net.ipv4.ip_local_reserved_ports=${first}-${last}`)];
}

function isReserved(reserved: string, [first, last]: readonly [number, number]): boolean {
  return reserved.split(',').some((part) => {
    const [from = Number.NaN, to = from] = part.split('-').map(Number);
    return from <= first && to >= last;
  });
}

const LINKS = z.array(z.object({ ifname: z.string(), mtu: z.number(), link_type: z.string() }));
const ROUTES = z.array(z.object({ dev: z.optional(z.string()) }));

/** Packets of pods that are larger than the uplink takes are lost where the message about it is lost. */
export async function checkMtu({ system }: DoctorContext): Promise<Check[]> {
  const name = 'MTU';
  const runIp = async (...args: string[]) => JSON.parse((await system.run('ip', ['-json', ...args])).stdout || '[]');
  const links = LINKS.parse(await runIp('link', 'show'));
  const uplink = ROUTES.parse(await runIp('route', 'show', 'default'))[0]?.dev;
  const mtu = links.find(({ ifname }) => ifname === uplink)?.mtu;
  if (uplink === undefined || mtu === undefined) return [ok(name, 'there is no default route to compare with')];
  const others = links.filter(({ ifname, link_type }) => ifname !== uplink && link_type === 'ether');
  const larger = others.filter((link) => link.mtu > mtu).map((link) => `${link.ifname} ${link.mtu}`);
  if (larger.length === 0) return [ok(name, `no interface has a larger MTU than ${uplink} with ${mtu}`)];
  const message = `larger than the ${mtu} bytes of ${uplink}: ${larger.slice(0, 5).join(', ')}`;
  const advice =
    'give pods the MTU of the uplink less what the network plugin adds, or see to it that ICMP "too big" passes';
  return [warning(name, message, advice)];
}
