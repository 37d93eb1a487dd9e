// Ports and packet sizes.
import * as z from 'zod/mini';
import { AdminError, adminSocketPath, fetchState } from '../admin/admin-socket.ts';
import { type Check, type Machine, ok, problem, warning } from './check.ts';
import { ownerOf } from './processes.ts';

/** Where our servers listen unless they are told otherwise, and kube-proxy's too. */
const SERVERS = { 'metrics port': 10249, 'health port': 10256 } as const;

export async function checkPorts(machine: Machine): Promise<Check[]> {
  const text = (await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(machine.system.read))).join('\n');
  const daemon = await fetchState(adminSocketPath(machine.runDir)).catch((error: unknown) => {
    if (error instanceof AdminError) return undefined;
    throw error;
  });
  const checks: Check[] = [];
  for (const [name, port] of Object.entries(SERVERS)) {
    const inode = listenerOf(text, port);
    const owner = inode === undefined ? undefined : await ownerOf(inode);
    checks.push(judgePort(`${name} ${port}`, inode !== undefined, { owner, own: daemon?.pid }));
  }
  return checks;
}

function judgePort(
  name: string,
  isTaken: boolean,
  { owner, own }: { owner: { readonly pid: number; readonly name: string } | undefined; own: number | undefined },
): Check {
  if (!isTaken) return ok(name, 'free');
  if (owner !== undefined && owner.pid === own) return ok(name, 'taken by our daemon');
  const says = `taken by ${owner === undefined ? 'a process that cannot be seen from here' : `${owner.name}, process ${owner.pid}`}`;
  const advice = 'end it, or choose another port';
  // Before a migration that is as it should be.
  return owner?.name === 'kube-proxy' || owner === undefined
    ? warning(name, says, advice)
    : problem(name, says, advice);
}

/** The inode of the socket that listens on a port, in the text of `/proc/net/tcp`. */
export function listenerOf(text: string, port: number): string | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of text.split('\n')) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/ +/);
    if (state === '0A' && local.endsWith(`:${hex}`)) return inode;
  }
  return undefined;
}

/** A process of this node that connects from a port which is also a node port makes that port unreachable for its peer. */
export async function checkNodePorts({ system, nodePorts: [first, last] }: Machine): Promise<Check[]> {
  const range = (await system.read('/proc/sys/net/ipv4/ip_local_port_range')).trim();
  const [from = 0, to = 0] = range.split(/\s+/).map(Number);
  const reserved = (await system.read('/proc/sys/net/ipv4/ip_local_reserved_ports')).trim();
  const name = 'node port range';
  if (from > last || to < first || isReserved(reserved, [first, last])) {
    return [ok(name, `${first}-${last} is apart from the ports that this node connects from, ${from}-${to}`)];
  }
  const says = `${first}-${last} overlaps with the ports that this node connects from, ${from}-${to}`;
  return [warning(name, says, `sysctl -w net.ipv4.ip_local_reserved_ports=${first}-${last}`)];
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
export async function checkPacketSizes({ system }: Machine): Promise<Check[]> {
  const name = 'packet sizes';
  const ask = async (...args: string[]) => JSON.parse((await system.run('ip', ['-json', ...args])).stdout || '[]');
  const links = LINKS.parse(await ask('link', 'show'));
  const uplink = ROUTES.parse(await ask('route', 'show', 'default'))[0]?.dev;
  const mtu = links.find(({ ifname }) => ifname === uplink)?.mtu;
  if (uplink === undefined || mtu === undefined) return [ok(name, 'there is no default route to compare with')];
  const others = links.filter(({ ifname, link_type }) => ifname !== uplink && link_type === 'ether');
  const larger = others.filter((link) => link.mtu > mtu).map((link) => `${link.ifname} ${link.mtu}`);
  if (larger.length === 0) return [ok(name, `no interface has a larger MTU than ${uplink} with ${mtu}`)];
  const says = `larger than the ${mtu} bytes of ${uplink}: ${larger.slice(0, 5).join(', ')}`;
  const advice =
    'give pods the MTU of the uplink less what the network plugin adds, or see to it that ICMP "too big" passes';
  return [warning(name, says, advice)];
}
