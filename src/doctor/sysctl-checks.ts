// Kernel settings that decide what becomes of packets to Services.
import { cpus } from 'node:os';
import { missingIpv6 } from '../host/network/missing-ipv6.ts';
import { settingName } from '../host/sysctl/apply-settings.ts';
import { DEFAULT_CONNTRACK, wantedSettings } from '../host/sysctl/conntrack-settings.ts';
import { type Check, type Machine, ok, problem, warning } from './check.ts';

const IPV4 = '/proc/sys/net/ipv4';
const IPV6 = '/proc/sys/net/ipv6';

export async function checkForwarding({ system }: Machine): Promise<Check[]> {
  const set = 'something else has to switch it on, mostly the network plugin or /etc/sysctl.d';
  const [ip, ip6] = await Promise.all([`${IPV4}/ip_forward`, `${IPV6}/conf/all/forwarding`].map(system.read));
  const first =
    ip?.trim() === '1'
      ? ok('forwarding of IPv4', 'on')
      : problem('forwarding of IPv4', 'net.ipv4.ip_forward is 0: only endpoints on this node can be reached', set);
  const without = await missingIpv6(system.read);
  if (without !== undefined) return [first, ok('forwarding of IPv6', `not needed: ${without}`)];
  if (ip6?.trim() === '1') return [first, ok('forwarding of IPv6', 'on')];
  const off = 'net.ipv6.conf.all.forwarding is 0, which is wrong where the cluster has IPv6';
  return [first, warning('forwarding of IPv6', off, set)];
}

/** The kernel goes by the larger of the value for all and that of the interface. */
export async function checkPaths({ system }: Machine): Promise<Check[]> {
  const all = Number(await system.read(`${IPV4}/conf/all/rp_filter`));
  const strict: string[] = [];
  for (const name of await interfaces(system.read)) {
    const own = Number(await system.read(`${IPV4}/conf/${name}/rp_filter`));
    if (name !== 'lo' && Math.max(all, own) === 1) strict.push(name);
  }
  const says = `strict on ${strict.slice(0, 5).join(', ')}${strict.length > 5 ? ` and ${strict.length - 5} more` : ''}`;
  const advice =
    'packets that come in by another way than answers go out are dropped: set 2 (loose) where routes differ';
  const paths = strict.length === 0 ? ok('rp_filter', 'nowhere strict') : warning('rp_filter', says, advice);
  return [paths, await checkLocalnet(system.read), await checkBridges(system.read)];
}

type Read = Machine['system']['read'];

async function interfaces(read: Read): Promise<string[]> {
  return [...(await read('/proc/net/dev')).matchAll(/^ *([^\s:]+):/gm)].map(([, name = '']) => name);
}

async function checkLocalnet(read: Read): Promise<Check> {
  if ((await read(`${IPV4}/conf/all/route_localnet`)).trim() !== '1') return ok('route_localnet', 'off');
  const says =
    "on: neighbours on the network can reach what listens on this node's 127.0.0.1 only, unless a rule forbids it";
  const advice =
    "kube-proxy's iptables mode switches it on; when nothing needs it: sysctl -w net.ipv4.conf.all.route_localnet=0";
  return warning('route_localnet', says, advice);
}

/** Without it, a pod's packet to another pod on the same bridge passes no rule, and answers come from the wrong address. */
async function checkBridges(read: Read): Promise<Check> {
  const value = (await read('/proc/sys/net/bridge/bridge-nf-call-iptables')).trim();
  if (value !== '0')
    return ok('bridges', value === '1' ? 'bridged packets pass the rules' : 'no br_netfilter is loaded');
  const says = 'net.bridge.bridge-nf-call-iptables is 0: packets between pods on one bridge pass no rule';
  return warning('bridges', says, 'where pods are on a bridge: sysctl -w net.bridge.bridge-nf-call-iptables=1');
}

/** Tables that fill up lose connections without a word to anybody but the kernel log. */
export async function checkConntrack({ system, conntrack }: Machine): Promise<Check[]> {
  const program = await system.run(conntrack, ['--version']).then(
    ({ stdout }) => ok('conntrack program', stdout.trim()),
    () => {
      const says = `"${conntrack}" cannot be run: UDP flows to endpoints that are gone will not be ended`;
      return problem('conntrack program', says, 'install the package conntrack, or name it with --conntrack');
    },
  );
  const path = '/proc/sys/net/netfilter/nf_conntrack';
  const [used, max] = (await Promise.all([`${path}_count`, `${path}_max`].map(system.read))).map(Number);
  return [program, fillLevel(used ?? 0, max ?? 0)];
}

/** How full the table may be, in percent. */
const [FULL, FILLING] = [95, 75];

export function fillLevel(used: number, max: number): Check {
  const name = 'conntrack table';
  if (max === 0) return problem(name, 'there is none', 'load the kernel module nf_conntrack');
  const percent = Math.round((used / max) * 100);
  const says = `${used} of ${max} entries, ${percent} %`;
  const advice =
    'new connections are dropped when it is full: raise net.netfilter.nf_conntrack_max (conntrack.maxPerCore)';
  if (percent >= FULL) return problem(name, says, advice);
  return percent >= FILLING ? warning(name, says, advice) : ok(name, says);
}

/** What `run` will set, if it may. */
export async function checkSettings({ system }: Machine): Promise<Check[]> {
  const differing: string[] = [];
  for (const { path, value, atLeast = false } of wantedSettings(DEFAULT_CONNTRACK, cpus().length)) {
    const now = Number(await system.read(path));
    if (now !== value && !(atLeast && now > value)) differing.push(`${settingName(path)} is ${now}, not ${value}`);
  }
  if (differing.length === 0) return [ok('conntrack settings', 'those of the default configuration')];
  const advice = '`nftlane run` sets them where it may write to /proc/sys; `nftlane run --init-only` does nothing else';
  return [warning('conntrack settings', differing.join('; '), advice)];
}
