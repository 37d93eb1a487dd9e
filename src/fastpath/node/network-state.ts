// Reads links, routes, neighbors and bridge entries of this node with ip and bridge.

import { exec } from '../../host/process/exec.ts';
import type { Address } from '../../net/address.ts';
import { emptyIfListingFailed } from '../../nftables/client/nft-error.ts';
import type { NftProgram } from '../../nftables/client/nft-program.ts';

export interface Link {
  readonly ifindex: number;
  readonly name: string;
  readonly mtu: number;
  readonly mac: string;
  /** `ether`, `loopback`, ... */
  readonly type: string;
  /** `veth`, `bridge`, ...; empty for hardware. */
  readonly kind: string;
  /** The bridge or bond that the link is a port of. */
  readonly master: string | undefined;
  /** The peer of a veth is in another network namespace. */
  readonly hasPeerInOtherNetns: boolean;
}

/** The route to an address. */
export interface RouteResult {
  readonly device: string;
  readonly isLocal: boolean;
  readonly hasGateway: boolean;
}

export interface NetworkState {
  /** By name. */
  readonly links: ReadonlyMap<string, Link>;
  /** Known MAC addresses by `DEVICE ADDRESS`. */
  readonly neighbors: ReadonlyMap<string, string>;
  /** The keys of stale neighbors. */
  readonly stale: ReadonlySet<string>;
  /** The bridge port of a MAC address, by `BRIDGE MAC`. */
  readonly bridgePorts: ReadonlyMap<string, string>;
  /** Devices with a default route. */
  readonly defaultRouteDevices: readonly string[];
}

const TIMEOUT_MS = 10_000;

type Json = Readonly<Record<string, unknown>>;

/** Throws if ip or bridge fails. */
export async function readNetworkState(): Promise<NetworkState> {
  const [links, neighbors, fdb, routes, routes6] = await Promise.all([
    runJson('ip', '-j', '-d', 'link', 'show'),
    runJson('ip', '-j', 'neigh', 'show'),
    runJson('bridge', '-j', 'fdb', 'show'),
    runJson('ip', '-j', 'route', 'show', 'default'),
    runJson('ip', '-j', '-6', 'route', 'show', 'default'),
  ]);
  return {
    links: new Map(links.map(toLink).map((link) => [link.name, link])),
    neighbors: new Map(
      neighbors.flatMap((neighbor) =>
        typeof neighbor['lladdr'] === 'string' ? [[neighborKey(neighbor), neighbor['lladdr']] as const] : [],
      ),
    ),
    stale: new Set(neighbors.filter(isStale).map(neighborKey)),
    bridgePorts: new Map(
      fdb.flatMap((entry) =>
        typeof entry['master'] === 'string'
          ? [[`${entry['master']} ${entry['mac']}`, String(entry['ifname'])] as const]
          : [],
      ),
    ),
    defaultRouteDevices: [...new Set([...routes, ...routes6].flatMap(devicesOf))],
  };
}

/** Ifindexes of all devices: the fastest of these queries. */
export async function readIfindexes(): Promise<Set<number>> {
  return new Set((await runJson('ip', '-j', 'link', 'show')).map(({ ifindex }) => Number(ifindex)));
}

/** Routes by address. Addresses without a route are missing. */
export async function lookUpRoutes(addresses: readonly Address[]): Promise<Map<Address, RouteResult>> {
  if (addresses.length === 0) return new Map();
  const input = addresses.map((address) => `route get ${address}\n`).join('');
  const { stdout } = await exec('ip', ['-j', '-force', '-batch', '-'], { input, timeoutMs: TIMEOUT_MS });
  const routes = stdout.split('\n').flatMap((line) => (line.startsWith('[') ? (JSON.parse(line) as Json[]) : []));
  return new Map(
    routes.map((route) => [
      String(route['dst']),
      {
        device: String(route['dev']),
        isLocal: route['type'] === 'local',
        hasGateway: 'gateway' in route || 'via' in route,
      },
    ]),
  );
}

/** Has the kernel resolve neighbors. Results arrive as neighbor events. */
export async function probeNeighbors(targets: readonly { device: string; address: Address }[]): Promise<void> {
  if (targets.length === 0) return;
  const input = targets.map(({ device, address }) => `neigh replace ${address} dev ${device} use\n`).join('');
  await exec('ip', ['-force', '-batch', '-'], { input, timeoutMs: TIMEOUT_MS });
}

/** Names of all nftables tables and chains. */
export async function readNftNames(nft: NftProgram): Promise<string[]> {
  const chains = await nft.listChains().catch(emptyIfListingFailed);
  return chains.flatMap(({ table, name }) => [table, name]);
}

async function runJson(command: string, ...args: readonly string[]): Promise<Json[]> {
  const { stdout, status, stderr } = await exec(command, args, { timeoutMs: TIMEOUT_MS });
  if (status !== 0) throw new Error(`Cannot run "${[command, ...args].join(' ')}": ${stderr.trim()}`);
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as Json[]);
}

function neighborKey({ dev, dst }: Json): string {
  return `${dev} ${dst}`;
}

function isStale({ state }: Json): boolean {
  return Array.isArray(state) && state.includes('STALE');
}

function toLink(link: Json): Link {
  const info = link['linkinfo'] as Json | undefined;
  return {
    ifindex: Number(link['ifindex']),
    name: String(link['ifname']),
    mtu: Number(link['mtu']),
    mac: String(link['address'] ?? ''),
    type: String(link['link_type'] ?? ''),
    kind: String(info?.['info_kind'] ?? ''),
    master: typeof link['master'] === 'string' ? link['master'] : undefined,
    hasPeerInOtherNetns: 'link_netnsid' in link,
  };
}

function devicesOf(route: Json): string[] {
  const hops = (route['nexthops'] as readonly Json[] | undefined) ?? [route];
  return hops.flatMap((hop) => (typeof hop['dev'] === 'string' ? [hop['dev']] : []));
}
