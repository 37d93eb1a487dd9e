// Tests of the checks in src/doctor that need no real machine.

import t from 'tap';
import type { DoctorContext } from '../../../src/doctor/check.ts';
import { checkKernel, checkPrivileges } from '../../../src/doctor/kernel-checks.ts';
import { checkMtu, checkNodePortRange, findListenerInode } from '../../../src/doctor/port-checks.ts';
import { isDaemon } from '../../../src/doctor/proxy-checks.ts';
import { checkForeignRules } from '../../../src/doctor/ruleset-checks.ts';
import { checkConntrackUsage, checkForwarding, checkPacketPaths } from '../../../src/doctor/sysctl-checks.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { daemonStatus, NO_DAEMON } from '../../support/builders/daemon-status.ts';
import { FakeSystem } from '../../support/fakes/fake-system.ts';

function machine(files: Readonly<Record<string, string>> = {}): { machine: DoctorContext; system: FakeSystem } {
  const system = new FakeSystem();
  for (const [path, text] of Object.entries(files)) system.files.set(path, text);
  const names = { nft: 'nft', conntrack: 'conntrack', runDir: '/nowhere', daemon: NO_DAEMON };
  return { machine: { ...names, system, nodePortRange: [30_000, 32_767] }, system };
}

function statuses(checks: readonly { readonly status: string }[]): string {
  return checks.map(({ status }) => status).join(' ');
}

const WITH_IPV6 = { '/proc/sys/net/ipv6/conf/all/disable_ipv6': '0\n' };
const ADDRESSES = 'ip -json address show scope global';

/** A daemon with a Service that has cluster IPs of these families. */
function daemonWith(families: readonly Family[], slices: readonly object[] = []): DoctorContext['daemon'] {
  const clusterIps = Object.fromEntries(families.map((family) => [family, 'any']));
  const state = {
    ready: true,
    status: daemonStatus(),
    options: { nodeName: 'n1' },
    objects: { Service: [{ clusterIps }], EndpointSlice: slices },
  };
  return { daemon: 'running', state, remains: {} } as unknown as DoctorContext['daemon'];
}

t.test('checkKernel() and checkPrivileges() check version and capability', async (t) => {
  const release = '/proc/sys/kernel/osrelease';
  t.equal(
    statuses(await checkKernel(machine({ [release]: '6.1.0-9-amd64\n', '/etc/protocols': 'tcp 6' }).machine)),
    'ok ok',
  );
  t.equal(statuses(await checkKernel(machine({ [release]: '5.4.0\n' }).machine)), 'warning warning');
  const capabilities = (hex: string) => machine({ '/proc/self/status': `Name:\tnode\nCapEff:\t${hex}\n` }).machine;
  t.equal(statuses(await checkPrivileges(capabilities('0000000000001000'))), 'ok');
  t.equal(statuses(await checkPrivileges(capabilities('0000000000000fff'))), 'problem');
});

t.test('checkForwarding() demands the setting of a family that is used', async (t) => {
  const [ip, ip6] = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding'];
  t.equal(statuses(await checkForwarding(machine({ [ip]: '1\n', [ip6]: '1\n' }).machine)), 'ok ok');
  const { machine: it, system } = machine({ ...WITH_IPV6, [ip]: '0\n', [ip6]: '0\n' });
  t.equal(statuses(await checkForwarding(it)), 'problem warning', 'nothing is known of the cluster');
  for (const [addresses, expected] of [
    [['inet', 'inet6'], 'problem warning'],
    [['inet6'], 'ok problem'],
    [['inet'], 'problem ok'],
  ] as const) {
    system.programs.set(ADDRESSES, JSON.stringify([{ addr_info: addresses.map((family) => ({ family })) }]));
    t.equal(statuses(await checkForwarding(it)), expected, `a machine with ${addresses}`);
  }
  const [unused] = await checkForwarding({ ...it, daemon: daemonWith(['ip6']) });
  t.match(unused, { status: 'ok', message: 'not needed: no Service has an IPv4 address' });
  t.equal(statuses(await checkForwarding(machine({ [ip]: '1\n' }).machine)), 'ok ok', 'a kernel without IPv6');
});

t.test('checkPacketPaths() uses the larger value of `all` and the interface', async (t) => {
  const conf = '/proc/sys/net/ipv4/conf';
  const dev = { '/proc/net/dev': ' face |bytes\n    lo: 0\n  eth0: 0\n' };
  const { machine: strict } = machine({ ...dev, [`${conf}/all/rp_filter`]: '0', [`${conf}/eth0/rp_filter`]: '1' });
  t.match((await checkPacketPaths(strict))[0], { status: 'warning', message: 'strict on eth0' });
  t.match((await checkPacketPaths({ ...strict, daemon: daemonWith(['ip6']) }))[0], { status: 'ok' });
  const loose = await checkPacketPaths(
    machine({ ...dev, [`${conf}/all/rp_filter`]: '2', [`${conf}/eth0/rp_filter`]: '1' }).machine,
  );
  t.equal(statuses(loose), 'ok ok ok ok');
  const { machine: open } = machine({ ...dev, [`${conf}/all/route_localnet`]: '1\n' });
  t.equal(statuses(await checkPacketPaths(open)), 'ok warning ok ok');
});

t.test('checkPacketPaths() checks bridges for each family that is used', async (t) => {
  const bridge = '/proc/sys/net/bridge/bridge-nf-call';
  for (const off of FAMILIES) {
    const values = FAMILIES.map((family) => [`${bridge}-${family}tables`, family === off ? '0\n' : '1\n']);
    const { machine: it } = machine({ ...WITH_IPV6, ...Object.fromEntries(values) });
    for (const used of FAMILIES) {
      const checks = await checkPacketPaths({ ...it, daemon: daemonWith([used]) });
      const name = `net.bridge.bridge-nf-call-${off}tables`;
      t.match(
        checks[2],
        used === off ? { status: 'warning', message: `off: ${name}`, advice: `sysctl -w ${name}=1` } : { status: 'ok' },
        `${off} is off, ${used} is used`,
      );
    }
  }
});

t.test('checkPacketPaths() names ports of bridges with endpoints that lack hairpin mode', async (t) => {
  const route = (name: string, destination: string) =>
    `${name}\t${destination}\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0`;
  const port = (name: string, bridge: string, mode: string) => [
    [`/sys/class/net/${name}/brport/hairpin_mode`, mode],
    [`/sys/class/net/${name}/master/uevent`, `DEVTYPE=bridge\nINTERFACE=${bridge}\nIFINDEX=3\n`],
  ];
  const slice = {
    endpoints: [
      { nodeName: 'n1', address: '10.1.9.12' },
      { nodeName: 'n2', address: '10.2.9.12' },
    ],
  };
  const check = async (changed: Readonly<Record<string, string>> = {}, slices = [slice]) => {
    const files = Object.fromEntries([
      ['/proc/sys/net/bridge/bridge-nf-call-iptables', '1\n'],
      ['/proc/net/dev', ' face |bytes\n    lo: 0\n  cni0: 0\n  v1: 0\n  v2: 0\n  w1: 0\n'],
      ['/proc/net/route', `${route('cni0', '0009010A')}\n${route('br2', '0009020A')}\n`],
      ...port('v1', 'cni0', '0\n'),
      ...port('v2', 'cni0', '1\n'),
      ...port('w1', 'br2', '0\n'),
      ['/sys/class/net/cni0/flags', '0x1003\n'],
    ]);
    const { machine: it } = machine({ ...files, ...changed });
    return (await checkPacketPaths({ ...it, daemon: daemonWith(['ip'], slices) })).slice(2);
  };
  const [bridges, hairpin] = await check();
  t.match(bridges, { status: 'ok' });
  t.match(hairpin, { status: 'warning', message: /^off at ports of bridges with endpoints of this node: v1;/ });
  t.equal(statuses(await check({ '/sys/class/net/v1/brport/hairpin_mode': '1\n' })), 'ok ok');
  t.equal(statuses(await check({ '/sys/class/net/cni0/flags': '0x1103\n' })), 'ok ok', 'the bridge is promiscuous');
  t.equal(statuses(await check({}, [])), 'ok ok', 'no endpoint');
  const [off, rest] = await check({ '/proc/sys/net/bridge/bridge-nf-call-iptables': '0\n' });
  t.match(off, { status: 'warning', advice: /; first enable hairpin mode, which is off at v1$/ });
  t.match(rest, { status: 'ok' });
});

t.test('checkConntrackUsage() warns about a full table', async (t) => {
  t.equal(checkConntrackUsage(10, 100).status, 'ok');
  t.equal(checkConntrackUsage(80, 100).status, 'warning');
  t.equal(checkConntrackUsage(99, 100).status, 'problem');
  t.equal(checkConntrackUsage(0, 0).status, 'problem');
});

t.test('findListenerInode() and checkNodePortRange() read /proc', async (t) => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2809 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:2810 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4712 1`;
  t.equal(findListenerInode(text, 10_249), '4711');
  t.equal(findListenerInode(text, 10_256), undefined, 'an established connection does not listen');
  const range = (value: string, reserved = '') =>
    checkNodePortRange(
      machine({
        '/proc/sys/net/ipv4/ip_local_port_range': value,
        '/proc/sys/net/ipv4/ip_local_reserved_ports': reserved,
      }).machine,
    );
  t.equal(statuses(await range('32768\t60999\n')), 'ok');
  t.equal(statuses(await range('15000\t60999\n')), 'warning');
  t.equal(statuses(await range('15000\t60999\n', '8080,30000-32767\n')), 'ok');
});

t.test('checkMtu() compares MTUs with the uplinks of both families', async (t) => {
  const { machine: it, system } = machine();
  const link = (ifname: string, mtu: number) => ({ ifname, mtu, link_type: 'ether' });
  const links = (...all: object[]) => system.programs.set('ip -json link show', JSON.stringify(all));
  const routes = (ip: object[], ip6: object[]) =>
    system.programs
      .set('ip -json -4 route show default', JSON.stringify(ip))
      .set('ip -json -6 route show default', JSON.stringify(ip6));
  const [viaEth0, viaEth1] = [
    { dst: 'default', dev: 'eth0' },
    { dst: 'default', nexthops: [{ dev: 'eth1' }] },
  ];
  links(link('eth0', 1500), link('cni0', 1450));
  routes([viaEth0], []);
  t.equal(statuses(await checkMtu(it)), 'ok');
  links(link('eth0', 1500), link('eth1', 1400), link('cni0', 1450));
  t.match(await checkMtu(it), [{ status: 'ok', message: 'no interface exceeds the MTU of eth0, 1500' }]);
  routes([], [viaEth1]);
  t.match(await checkMtu(it), [{ status: 'warning', message: 'above the 1400 bytes of eth1: eth0 1500, cni0 1450' }]);
  routes([viaEth0], [viaEth1]);
  t.match(await checkMtu(it), [{ status: 'warning', message: 'above the 1400 bytes of eth1: cni0 1450' }]);
  routes([], []);
  t.match(await checkMtu(it), [{ status: 'ok', message: 'no default route to compare with' }]);
});

t.test('checkForeignRules() warns about other tables', async (t) => {
  const { machine: it, system } = machine({ '/etc/nftables.conf': '#!/usr/sbin/nft -f\nflush ruleset\n' });
  const chain = (fields: object) => ({ chain: { family: 'inet', ...fields } });
  const listing = (...chains: object[]) => JSON.stringify({ nftables: [{ metainfo: {} }, ...chains] });
  system.programs.set(
    'nft',
    listing(chain({ table: 'nftlane', name: 'filter-forward', hook: 'forward', policy: 'drop' })),
  );
  t.equal(statuses(await checkForeignRules(it)), 'ok ok ok warning ok');
  const [forward, early] = [
    chain({ table: 'firewalld', name: 'f', type: 'filter', hook: 'forward', prio: 10, policy: 'drop' }),
    chain({ table: 'firewalld', name: 'n', type: 'nat', hook: 'prerouting', prio: -190, policy: 'accept' }),
  ];
  system.programs.set('nft', listing(forward, early));
  system.files.set('/proc/net/ip_tables_names', 'filter\n');
  system.programs.set('iptables-legacy-save', '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n');
  const checks = await checkForeignRules(it);
  t.equal(statuses(checks), 'warning ok ok warning warning ok');
  t.match(checks[0], { message: /inet firewalld f, legacy iptables filter FORWARD/ });
});

t.test('checkForeignRules() names the rules that take packets from nftlane', async (t) => {
  const { machine: it, system } = machine();
  const table = (hook: string, rule: string, family = 'inet') =>
    `table ${family} other {\n\tchain helper {\n\t\t${rule}\n\t}\n\tchain base {\n\t\t${hook}; policy accept;\n\t\tjump helper\n\t}\n}\n`;
  const check = async (text: string, legacy: Readonly<Record<string, string>> = {}) => {
    system.programs.set('nft', '').set('nft -t list ruleset', text);
    for (const [name, saved] of Object.entries(legacy)) system.programs.set(`iptables-legacy-save -t ${name}`, saved);
    const [, order, tracking] = await checkForeignRules(it);
    return {
      order: order?.message,
      tracking: tracking?.message,
      statuses: statuses([order, tracking].flatMap((x) => x ?? [])),
    };
  };
  const nat = (hook: string, priority: string) => `type nat hook ${hook} priority ${priority}`;
  for (const hook of ['prerouting', 'output']) {
    const same = await check(table(nat(hook, 'dstnat'), 'tcp dport 30080 dnat ip to 10.0.0.1:80'));
    t.equal(same.statuses, 'warning ok');
    t.match(
      same.order,
      /with the priority of nftlane, .* inet other base \(tcp dport 30080 dnat ip to 10\.0\.0\.1:80\)$/,
    );
    t.match((await check(table(nat(hook, 'dstnat - 5'), 'redirect to :81'))).order, /before nftlane: inet other base/);
    t.equal((await check(table(nat(hook, 'dstnat + 5'), 'redirect to :81'))).statuses, 'ok ok');
    const raw = await check(table(`type filter hook ${hook} priority raw`, 'udp dport 53 notrack', 'ip6'));
    t.match(raw, { statuses: 'ok warning', tracking: /ip6 other base \(udp dport 53 notrack\)$/ });
  }
  t.equal((await check(table(nat('postrouting', 'srcnat'), 'masquerade'))).statuses, 'ok ok');
  t.equal((await check(table('type filter hook prerouting priority mangle', 'notrack'))).statuses, 'ok ok');
  system.files.set('/proc/net/ip_tables_names', 'nat\nraw\n');
  const legacy = await check('', {
    nat: '*nat\n-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1\n',
    raw: '*raw\n-A PREROUTING -d 10.96.0.10/32 -j CT --notrack\n',
  });
  t.match(legacy, {
    statuses: 'warning warning',
    order: /legacy iptables nat \(-A PREROUTING/,
    tracking: /legacy iptables raw/,
  });
});

t.test('checkForeignRules() warns about chains of others that can affect new flows', async (t) => {
  const { machine: it, system } = machine();
  const base = 'type filter hook forward priority filter; policy accept;';
  const table = (rules: string, name = 'inet other') =>
    `table ${name} {\n\tchain helper {\n\t\tdrop\n\t}\n\tchain f {\n\t\t${base}\n\t\t${rules}\n\t}\n}\n`;
  const check = async (text: string) => {
    system.programs.set('nft', '').set('nft -t list ruleset', text);
    return (await checkForeignRules(it)).at(-1)?.status;
  };
  for (const rules of ['accept', 'ct state invalid drop', 'ip saddr @x masquerade', 'counter packets 1 bytes 2'])
    t.equal(await check(table(rules)), 'ok', rules);
  for (const rules of [
    'ct state established reject',
    'tcp dport 80 drop',
    'jump helper',
    'meta mark set 0x1',
    'ip saddr vmap @x',
  ])
    t.equal(await check(table(rules)), 'warning', rules);
  const early = table('ct state invalid drop').replace('priority filter', 'priority raw');
  t.equal(await check(early), 'warning', 'every packet is invalid there');
  t.equal(await check(table('drop', 'ip nftlane')), 'ok');
  t.equal(await check(table('drop', 'bridge other')), 'ok');
});

t.test('isDaemon() recognizes a daemon by its command line', async (t) => {
  t.ok(isDaemon('node', ['/usr/bin/node', '/tmp/x/nftlane.mjs', 'run', '--nft', 'nft']));
  t.ok(isDaemon('nftlane', ['nftlane', 'run']));
  t.notOk(isDaemon('node', ['node', '/tmp/nftlane.mjs', 'doctor']));
  t.notOk(isDaemon('sh', ['sh', '-c', 'nftlane run']));
});
