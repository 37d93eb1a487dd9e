// Tests of src/migration/ipvs-cleaner.ts and ipvs-virtual-servers.ts, with listings in the format of kernels with IPVS.

import t from 'tap';
import { IpvsCleaner } from '../../../src/migration/ipvs-cleaner.ts';
import { ipvsadmArgs, parseVirtualServers } from '../../../src/migration/ipvs-virtual-servers.ts';
import { FakeSystem } from '../../support/fakes/fake-system.ts';

const LISTING = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A60000A:0035 rr persistent 10800 FFFFFFFF
  -> 0AF40003:0035      Masq    1      2          1         
  -> 0AF40002:0035      Masq    0      1          0         
UDP  [fd00:0010:0096:0000:0000:0000:0000:000a]:0035 rr 
  -> [fd00:0010:0244:0000:0000:0000:0000:0003]:0035      Masq    1      0          7         
TCP  C0A84D01:7580 rr 
  -> 0AF40003:1F90      Masq    1      1          0         
TCP  C0000201:0050 wlc 
  -> C0A80505:0050      Route   1      50         0         
FWM  00000001 rr 
  -> C0A80505:0050      Route   1      9          0         
`;

const DEV = `Inter-|   Receive
 face |bytes
    lo:  10 0
kube-ipvs0:       0       0
`;

const ADDRESSES = JSON.stringify([
  { ifname: 'kube-ipvs0', addr_info: [{ local: '10.96.0.10' }, { local: 'fd00:10:96::a' }] },
]);

function machine(): FakeSystem {
  const system = new FakeSystem();
  system.files.set('/proc/net/ip_vs', LISTING).set('/proc/net/dev', DEV);
  system.programs.set('ip', '').set('ip -json address show dev kube-ipvs0', ADDRESSES);
  system.programs.set('ipset', '').set('ipset list -name', 'KUBE-CLUSTER-IP\nKUBE-NODE-PORT-TCP\nblocklist\n');
  system.programs.set(
    'ipset save KUBE-NODE-PORT-TCP',
    'create KUBE-NODE-PORT-TCP bitmap:port range 0-65535\nadd KUBE-NODE-PORT-TCP 30080\n',
  );
  system.programs.set('ipvsadm', '');
  return system;
}

t.test('parseVirtualServers() reads virtual servers and their connections', async (t) => {
  t.strictSame(parseVirtualServers(LISTING), [
    { protocol: 'TCP', address: '10.96.0.10', port: 53, connections: 4 },
    { protocol: 'UDP', address: 'fd00:10:96::a', port: 53, connections: 7 },
    { protocol: 'TCP', address: '192.168.77.1', port: 30080, connections: 1 },
    { protocol: 'TCP', address: '192.0.2.1', port: 80, connections: 50 },
  ]);
  t.strictSame(parseVirtualServers(''), []);
  const words = parseVirtualServers(LISTING).map((server) => ipvsadmArgs(server).join(' '));
  t.strictSame(words.slice(0, 2), ['--tcp-service 10.96.0.10:53', '--udp-service [fd00:10:96::a]:53']);
});

t.test('IpvsCleaner counts and removes only virtual servers of kube-proxy', async (t) => {
  const system = machine();
  const ipvs = new IpvsCleaner(system);
  t.equal(await ipvs.countConnections(), 12);
  t.strictSame((await ipvs.find()).leftovers, [
    'ipvs: 3 virtual servers',
    'ipvs: interface kube-ipvs0',
    'ipvs: 2 ipsets',
  ]);
  system.ran.length = 0;
  const { removed, failures } = await ipvs.remove();
  t.strictSame(failures, []);
  t.equal(removed.length, 3);
  t.strictSame(
    system.ran.filter((line) => /ipvsadm|delete|destroy/.test(line)),
    [
      'ipvsadm --delete-service --tcp-service 10.96.0.10:53',
      'ipvsadm --delete-service --udp-service [fd00:10:96::a]:53',
      'ipvsadm --delete-service --tcp-service 192.168.77.1:30080',
      'ip link delete kube-ipvs0',
      'ipset destroy KUBE-CLUSTER-IP',
      'ipset destroy KUBE-NODE-PORT-TCP',
    ],
  );
});

t.test('IpvsCleaner clears all virtual servers if none is foreign', async (t) => {
  const system = machine();
  system.files.set('/proc/net/ip_vs', LISTING.slice(0, LISTING.indexOf('TCP  C0000201')));
  await new IpvsCleaner(system).remove();
  t.ok(system.ran.includes('ipvsadm --clear'));
});

t.test('IpvsCleaner names a missing program and its package', async (t) => {
  const system = machine();
  system.programs.delete('ipvsadm');
  const { failures } = await new IpvsCleaner(system).remove();
  t.match(failures, [/"ipvsadm": not found \(install the package ipvsadm\)/]);
});

t.test('IpvsCleaner finds nothing on a machine without IPVS', async (t) => {
  const ipvs = new IpvsCleaner(new FakeSystem());
  t.strictSame(await ipvs.find(), { leftovers: [], failures: [] });
  t.equal(await ipvs.countConnections(), 0);
  t.strictSame(await ipvs.remove(), { removed: [], kept: [], failures: [] });
});
