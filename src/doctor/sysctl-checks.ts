// Checks of kernel settings that affect packets to Services.

import { cpus } from 'node:os';
import { knownState } from '../admin/ask-daemon.ts';
import { parseRoutes, parseRoutes6 } from '../host/network/read-host.ts';
import { SHORT_TIMEOUT_MS } from '../host/process/system.ts';
import { sysctlName } from '../host/sysctl/apply-sysctls.ts';
import { DEFAULT_CONNTRACK, desiredConntrackSysctls } from '../host/sysctl/conntrack-sysctls.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import { outputInterface } from '../net/host.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';
import { type FamilyUse, familyUse } from './family-use.ts';

const IPV4 = '/proc/sys/net/ipv4';

const FORWARDING: Readonly<Record<Family, string>> = {
  ip: `${IPV4}/ip_forward`,
  ip6: '/proc/sys/net/ipv6/conf/all/forwarding',
};

/** Whether the kernel forwards packets, in each family that is used. */
export async function checkForwarding(context: DoctorContext): Promise<Check[]> {
  const uses = await familyUse(context);
  return Promise.all(FAMILIES.map((family) => checkFamilyForwarding(family, uses[family], context)));
}

async function checkFamilyForwarding(family: Family, use: FamilyUse, { system }: DoctorContext): Promise<Check> {
  const { label } = FAMILY_TRAITS[family];
  const name = `${label} forwarding`;
  const path = FORWARDING[family];
  if ((await system.read(path)).trim() === '1') return ok(name, 'on');
  if (use.used === 'no') return ok(name, `not needed: ${use.reason}`);
  const state = `${sysctlName(path)} is 0`;
  const advice = 'enable it, usually through the network plugin or /etc/sysctl.d';
  // Most clusters have IPv4, and many machines have IPv6 addresses in clusters without it.
  if (use.used === 'yes' || family === 'ip')
    return problem(name, `${state}: only endpoints on this node are reachable`, advice);
  return warning(name, `${state}, which is wrong in a cluster with ${label}`, advice);
}

/** How the kernel treats packets on their way. */
export async function checkPacketPaths(context: DoctorContext): Promise<Check[]> {
  const { read } = context.system;
  const uses = await familyUse(context);
  const bridges = await checkBridges(context, uses);
  return [await checkRpFilter(read, uses.ip), await checkRouteLocalnet(read), ...bridges];
}

/** IPv6 has no such setting. The kernel uses the larger one of the values for `all` and for the interface. */
async function checkRpFilter(read: ReadFile, use: FamilyUse): Promise<Check> {
  if (use.used === 'no') return ok('rp_filter', `not needed: ${use.reason}`);
  const all = Number(await read(`${IPV4}/conf/all/rp_filter`));
  const strict: string[] = [];
  for (const name of await interfaceNames(read)) {
    const value = Number(await read(`${IPV4}/conf/${name}/rp_filter`));
    if (name !== 'lo' && Math.max(all, value) === 1) strict.push(name);
  }
  const message = `strict on ${shorten(strict)}`;
  const advice =
    'packets that arrive on another interface than the one to their source are dropped: set 2 (loose) for asymmetric routes';
  return strict.length === 0 ? ok('rp_filter', 'not strict on any interface') : warning('rp_filter', message, advice);
}

type ReadFile = DoctorContext['system']['read'];

async function interfaceNames(read: ReadFile): Promise<string[]> {
  return [...(await read('/proc/net/dev')).matchAll(/^ *([^\s:]+):/gm)].map(([, name = '']) => name);
}

async function checkRouteLocalnet(read: ReadFile): Promise<Check> {
  if ((await read(`${IPV4}/conf/all/route_localnet`)).trim() !== '1') return ok('route_localnet', 'off');
  const message =
    "on: other hosts on the network can reach services that listen only on this node's 127.0.0.1, unless a rule prevents it";
  const advice =
    "kube-proxy's iptables mode enables it; if nothing needs it: sysctl -w net.ipv4.conf.all.route_localnet=0";
  return warning('route_localnet', message, advice);
}

/** Without it, packets between pods on one bridge skip all rules, and replies have the wrong source address. */
async function checkBridges(context: DoctorContext, uses: Readonly<Record<Family, FamilyUse>>): Promise<Check[]> {
  const { read } = context.system;
  const families = FAMILIES.filter((family) => uses[family].used !== 'no');
  const settings = families.map((family) => ({ family, name: `bridge-nf-call-${family}tables` }));
  const values = await Promise.all(
    settings.map(async ({ name }) => (await read(`/proc/sys/net/bridge/${name}`)).trim()),
  );
  const withValue = (value: string) => settings.filter((_, index) => values[index] === value);
  const off = withValue('0').map(({ name }) => `net.bridge.${name}`);
  const ports = await portsWithoutHairpin(context);
  return [bridgeCheck(off, { isLoaded: values.includes('1'), ports }), hairpinCheck(withValue('1').length > 0, ports)];
}

function bridgeCheck(
  off: readonly string[],
  { isLoaded, ports }: { readonly isLoaded: boolean; readonly ports: readonly string[] },
): Check {
  if (off.length === 0)
    return ok('bridges', isLoaded ? 'bridged packets pass through nftables' : 'br_netfilter is not loaded');
  const message = `off: ${off.join(', ')}; packets between pods on one bridge skip nftables`;
  const command = `sysctl -w ${off.map((name) => `${name}=1`).join(' ')}`;
  const first = ports.length === 0 ? '' : `; first enable hairpin mode, which is off at ${shorten(ports)}`;
  return warning('bridges', message, `if pods are attached to a bridge: ${command}${first}`);
}

/** A packet that passes through nftables on a bridge is bridged again, and only hairpin mode lets it leave by its own port. */
function hairpinCheck(isFiltered: boolean, ports: readonly string[]): Check {
  if (!isFiltered || ports.length === 0) return ok('hairpin', 'no endpoint needs it, or it is on');
  const message = `off at ports of bridges with endpoints of this node: ${shorten(ports)}; a pod there cannot reach itself through its Service`;
  const advice = 'enable hairpinMode in the network plugin, or for a port: bridge link set dev PORT hairpin on';
  return warning('hairpin', message, advice);
}

function shorten(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
}

/** The ports, without hairpin mode, of bridges by which this node sends to those of its endpoints that a daemon knows. */
async function portsWithoutHairpin({ daemon, system: { read } }: DoctorContext): Promise<string[]> {
  const { state } = knownState(daemon);
  if (state === undefined) return [];
  const slices = state.objects.EndpointSlice.flatMap(({ endpoints }) => endpoints);
  const local = slices.filter(({ nodeName }) => nodeName === state.options.nodeName).map(({ address }) => address);
  if (local.length === 0) return [];
  const [routes, routes6] = await Promise.all(['/proc/net/route', '/proc/net/ipv6_route'].map(read));
  const host = { addresses: [], routes: [...parseRoutes(routes ?? ''), ...parseRoutes6(routes6 ?? '')] };
  const bridges = new Set(local.map((address) => outputInterface(host, address)));
  const ports: string[] = [];
  for (const name of await interfaceNames(read)) {
    if ((await read(`/sys/class/net/${name}/brport/hairpin_mode`)).trim() !== '0') continue;
    const [, bridge] = /^INTERFACE=(.*)$/m.exec(await read(`/sys/class/net/${name}/master/uevent`)) ?? [];
    if (bridges.has(bridge) && !(await isPromiscuous(bridge ?? '', read))) ports.push(name);
  }
  return ports;
}

/** IFF_PROMISC. Such a bridge gets these packets itself, and sends them back; it is an alternative to hairpin mode. */
async function isPromiscuous(name: string, read: ReadFile): Promise<boolean> {
  return (Number(await read(`/sys/class/net/${name}/flags`)) & 0x100) !== 0;
}

/** A full table drops new connections, and only the kernel log mentions it. */
export async function checkConntrack({ system, conntrack }: DoctorContext): Promise<Check[]> {
  const program = await system.run(conntrack, ['--version'], { timeoutMs: SHORT_TIMEOUT_MS }).then(
    ({ stdout }) => ok('conntrack program', stdout.trim()),
    () => {
      const message = `"${conntrack}" cannot be run: UDP flows to removed endpoints are not cleaned up`;
      return problem('conntrack program', message, 'install the package conntrack, or set --conntrack');
    },
  );
  const path = '/proc/sys/net/netfilter/nf_conntrack';
  const [used, max] = (await Promise.all([`${path}_count`, `${path}_max`].map(system.read))).map(Number);
  return [program, checkConntrackUsage(used ?? 0, max ?? 0)];
}

/** Usage of the table, in percent. */
const [PROBLEM_PERCENT, WARNING_PERCENT] = [95, 75];

/** The usage of the conntrack table, in entries. */
export function checkConntrackUsage(used: number, max: number): Check {
  const name = 'conntrack table';
  if (max === 0) return problem(name, 'not available', 'load the kernel module nf_conntrack');
  const percent = Math.round((used / max) * 100);
  const message = `${used} of ${max} entries, ${percent} %`;
  const advice = 'a full table drops new connections: raise net.netfilter.nf_conntrack_max (conntrack.maxPerCore)';
  if (percent >= PROBLEM_PERCENT) return problem(name, message, advice);
  return percent >= WARNING_PERCENT ? warning(name, message, advice) : ok(name, message);
}

/** The settings that `run` applies, if it can. */
export async function checkConntrackSysctls({ system }: DoctorContext): Promise<Check[]> {
  const differing: string[] = [];
  for (const { path, value, atLeast = false } of desiredConntrackSysctls(DEFAULT_CONNTRACK, cpus().length)) {
    const text = await system.read(path);
    const current = Number(text);
    if (text === '') differing.push(`${sysctlName(path)} cannot be read`);
    else if (current !== value && !(atLeast && current > value))
      differing.push(`${sysctlName(path)} is ${current}, not ${value}`);
  }
  if (differing.length === 0) return [ok('conntrack settings', 'as in the default configuration')];
  const advice = '`nftlane run` sets them if /proc/sys is writable; `nftlane run --init-only` does only that';
  return [warning('conntrack settings', differing.join('; '), advice)];
}
