// Kernel settings in real network namespaces, as `run --init-only` makes them, or explains why it cannot.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createWorld } from '../../support/netns/world.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const ESTABLISHED = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established';
const INIT = [process.execPath, MAIN, 'run', '--init-only', '--node-name', 'node1'];

const world = await createWorld();
t.teardown(() => world.destroy());
const { node1, node2 } = world;

t.test('settings are made, and the program ends', async (t) => {
  const { status, stderr } = await node1.exec('env', INIT);
  t.equal(status, 0);
  t.match(stderr, /nf_conntrack_tcp_timeout_established.*sysctl changed/);
  t.equal(await node1.output('cat', [ESTABLISHED]), '86400\n');
  t.equal(await node1.output('cat', [ESTABLISHED.replace('established', 'close_wait')]), '3600\n');
  const again = await node1.exec('env', INIT);
  t.equal(again.status, 0);
  t.notMatch(again.stderr, 'sysctl changed');
  t.equal(await node1.output('nft', ['list', 'ruleset']), '', 'nothing else is done');
});

t.test('where /proc/sys is read-only it is said what to do', async (t) => {
  const script = 'mount -o bind,ro /proc/sys /proc/sys && exec "$@"';
  const { status, stderr } = await node2.exec('unshare', ['--mount', 'sh', '-c', script, 'sh', ...INIT]);
  t.equal(status, 3);
  t.match(stderr, /nf_conntrack_tcp_timeout_established to 86400: the file system is read-only.*init container/);
});

t.test('localhost among the node port addresses: loopback is closed to others first, then routed', async (t) => {
  const ROUTED = '/proc/sys/net/ipv4/conf/all/route_localnet';
  const flags = ['--nodeport-addresses', 'primary,localhost'];
  const before = await node1.output('cat', [ROUTED]);
  t.equal(before, '0\n');
  const failed = await node1.exec('env', [...INIT, ...flags, '--nft', '/bin/false']);
  t.not(failed.status, 0);
  t.equal(await node1.output('cat', [ROUTED]), '0\n', 'without the rules it stays off');
  for (const time of ['at first', 'again']) {
    const { status, stderr } = await node1.exec('env', [...INIT, ...flags]);
    t.equal(status, 0, `${time}: ${stderr}`);
    t.equal(await node1.output('cat', [ROUTED]), '1\n', time);
    const guard = await node1.output('nft', ['list', 'chain', 'ip', 'nftlane', 'filter-prerouting-pre-dnat']);
    t.match(guard, /iifname != "lo" ip daddr 127\.0\.0\.0\/8 drop/, time);
  }
  const script = 'mount -o bind,ro /proc/sys /proc/sys && exec "$@"';
  const refused = await node2.exec('unshare', ['--mount', 'sh', '-c', script, 'sh', ...INIT, ...flags]);
  t.equal(refused.status, 3);
  t.match(refused.stderr, 'Cannot set net.ipv4.conf.all.route_localnet to 1');
});
