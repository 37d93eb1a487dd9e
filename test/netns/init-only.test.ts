// Kernel settings in real network namespaces, as `run --init-only` makes them, or explains why it cannot.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createWorld } from './world.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const ESTABLISHED = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established';
const INIT = [process.execPath, MAIN, 'run', '--init-only', '--node-name', 'node1'];

const world = await createWorld();
t.teardown(() => world.destroy());
const { node1, node2 } = world;

t.test('settings are made, and the program ends', async (t) => {
  const { status, stderr } = await node1.exec('env', INIT);
  t.equal(status, 0);
  t.match(stderr, /nf_conntrack_tcp_timeout_established.*kernel setting changed/);
  t.equal(await node1.output('cat', [ESTABLISHED]), '86400\n');
  t.equal(await node1.output('cat', [ESTABLISHED.replace('established', 'close_wait')]), '3600\n');
  const again = await node1.exec('env', INIT);
  t.equal(again.status, 0);
  t.notMatch(again.stderr, 'kernel setting changed');
  t.equal(await node1.output('nft', ['list', 'ruleset']), '', 'nothing else is done');
});

t.test('where /proc/sys is read-only it is said what to do', async (t) => {
  const script = 'mount -o bind,ro /proc/sys /proc/sys && exec "$@"';
  const { status, stderr } = await node2.exec('unshare', ['--mount', 'sh', '-c', script, 'sh', ...INIT]);
  t.equal(status, 3);
  t.match(stderr, /nf_conntrack_tcp_timeout_established to 86400: the file system is read-only here.*init container/);
});
