// Tests of a node with a single address family.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { NODES, type NodeName } from '../../support/netns/topology.ts';
import { getHealth } from '../../support/netns/traffic/health-client.ts';

const PATIENCE_MS = 20_000;
const HEALTH_PORT = 31999;

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const overrides = {
  spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: HEALTH_PORT },
};
const { ip } = await proxied.addService('shop/web', 40, { pods: ['a', 'c'], overrides });
await proxied.waitForSync();

/** Resolves when the kernel holds the desired ruleset. */
async function settled(node: NodeName): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while ((await proxied.run(node, 'diff')).status !== 0) {
    if (performance.now() > deadline)
      throw new Error(`Cannot continue: ${node} still differs from the desired ruleset`);
    await delay(50);
  }
}

async function tables(node: NodeName): Promise<string[]> {
  const text = await world[node].output('nft', ['list', 'tables']);
  return text.split('\n').filter((line) => line !== '' && !line.endsWith('nftlane-lock'));
}

t.test('a node with IPv6 disabled removes the IPv6 table and serves IPv4', async (t) => {
  t.strictSame(await tables('node1'), ['table ip nftlane', 'table ip6 nftlane']);
  await world.node1.sysctl({ 'net.ipv6.conf.all.disable_ipv6': 1 });
  const daemon = await proxied.restart('node1');
  await daemon.waitForLog('address family is not available');
  await settled('node1');
  t.strictSame(await tables('node1'), ['table ip nftlane']);
  const dialer = await world.pod('a').dialer();
  t.match(await dialer.dial({ protocol: 'tcp', address: ip, port: 80, count: 10 }), { answered: 10 });
  t.match(await getHealth(world.client, NODES.node1.ip, HEALTH_PORT), { status: 200, body: { localEndpoints: 1 } });
  const health = await getHealth(world.node1, '127.0.0.1', 10_256, '/livez');
  t.strictSame(Object.keys((health.body as { status: object }).status), ['IPv4']);
  const doctor = await proxied.run('node1', 'doctor');
  t.match(doctor.stdout, /ok +IPv6 nftables +not needed: net\.ipv6\.conf\.all\.disable_ipv6 is 1/);
  await daemon.stop();
  const cleanup = await proxied.run('node1', 'cleanup');
  t.match(cleanup, { status: 0, stdout: 'removed nftables table ip nftlane\n' });
});

t.test('a kernel without IPv6 tables is queried once, and IPv4 is served', async (t) => {
  const nft = join(t.testdir({}), 'nft');
  const complaint = '/dev/stdin:2:1-26: Error: Could not process rule: Operation not supported';
  await writeFile(nft, `#!/bin/sh\n[ "$1" = -c ] || exec nft "$@"\necho '${complaint}' >&2\nexit 1\n`);
  await chmod(nft, 0o755);
  const daemon = await proxied.restart('node2', '--nft', nft);
  await daemon.waitForLog('address family is not available');
  await settled('node2');
  t.strictSame(await tables('node2'), ['table ip nftlane']);
  const dialer = await world.pod('c').dialer();
  t.match(await dialer.dial({ protocol: 'tcp', address: ip, port: 80, count: 10 }), { answered: 10 });
  t.strictSame(
    daemon.log.filter(({ level }) => level === 'error'),
    [],
  );
});
