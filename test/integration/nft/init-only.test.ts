// Tests of `run --init-only` in real network namespaces.

import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createWorld } from '../../support/netns/world.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const ESTABLISHED = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established';
const INIT = [process.execPath, MAIN, 'run', '--init-only', '--node-name', 'node1'];

const world = await createWorld();
t.teardown(() => world.destroy());
const { node1, node2 } = world;

t.test('--init-only applies kernel settings and exits', async (t) => {
  const { status, stderr } = await node1.exec('env', INIT);
  t.equal(status, 0);
  t.match(stderr, /nf_conntrack_tcp_timeout_established.*sysctl changed/);
  t.equal(await node1.output('cat', [ESTABLISHED]), '86400\n');
  t.equal(await node1.output('cat', [ESTABLISHED.replace('established', 'close_wait')]), '3600\n');
  const again = await node1.exec('env', INIT);
  t.equal(again.status, 0);
  t.notMatch(again.stderr, 'sysctl changed');
  t.equal(await node1.output('nft', ['list', 'ruleset']), '', 'no ruleset');
});

t.test('--init-only explains what to do if /proc/sys is read-only', async (t) => {
  const script = 'mount -o bind,ro /proc/sys /proc/sys && exec "$@"';
  const { status, stderr } = await node2.exec('unshare', ['--mount', 'sh', '-c', script, 'sh', ...INIT]);
  t.equal(status, 3);
  t.match(stderr, /nf_conntrack_tcp_timeout_established to 86400: the file system is read-only.*init container/);
});

t.test('--init-only with localhost node ports protects loopback before it sets route_localnet', async (t) => {
  const ROUTE_LOCALNET = '/proc/sys/net/ipv4/conf/all/route_localnet';
  const flags = ['--nodeport-addresses', 'primary,localhost'];
  const before = await node1.output('cat', [ROUTE_LOCALNET]);
  t.equal(before, '0\n');
  const failed = await node1.exec('env', [...INIT, ...flags, '--nft', '/bin/false']);
  t.not(failed.status, 0);
  t.equal(await node1.output('cat', [ROUTE_LOCALNET]), '0\n', 'stays 0 without the rules');
  for (const time of ['at first', 'again']) {
    const { status, stderr } = await node1.exec('env', [...INIT, ...flags]);
    t.equal(status, 0, `${time}: ${stderr}`);
    t.equal(await node1.output('cat', [ROUTE_LOCALNET]), '1\n', time);
    const chain = await node1.output('nft', ['list', 'chain', 'ip', 'nftlane', 'filter-prerouting-pre-dnat']);
    t.match(chain, /iifname != "lo" ip daddr 127\.0\.0\.0\/8 drop/, time);
  }
  const script = 'mount -o bind,ro /proc/sys /proc/sys && exec "$@"';
  const refused = await node2.exec('unshare', ['--mount', 'sh', '-c', script, 'sh', ...INIT, ...flags]);
  t.equal(refused.status, 3);
  t.match(refused.stderr, 'Cannot set net.ipv4.conf.all.route_localnet to 1');
});
