// Tests of nodePortAddresses and of configuration changes at run time, with real packets.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { createConfigMapVolume } from '../../support/deployment/config-map-volume.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { NODES } from '../../support/netns/topology.ts';
import type { Dialer } from '../../support/netns/traffic/dialer-process.ts';
import type { DialReport } from '../../support/netns/traffic/programs/messages.ts';

const NODE_PORT = 30040;
const OWN_PORT = 7070;
const LATE_ADDRESS = '192.168.77.50';
const PATIENCE_MS = 15_000;

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { client, node1 } = proxied.world;
const ports = PORTS.map((port) => ({ ...port, nodePort: NODE_PORT }));
await proxied.addService('shop/web', 40, { pods: ['a', 'c'], ports });
await proxied.waitForSync();
const dialers = new Map<Namespace, Promise<Dialer>>();

async function dial(from: Namespace, request: Parameters<Dialer['dial']>[0]): Promise<DialReport> {
  const dialer = dialers.get(from) ?? from.dialer();
  dialers.set(from, dialer);
  return (await dialer).dial(request);
}

/** Polls until `condition` holds, and returns the milliseconds that took. */
async function until(condition: () => Promise<boolean>): Promise<number> {
  const started = performance.now();
  while (!(await condition())) {
    if (performance.now() - started > PATIENCE_MS) throw new Error('Cannot continue: timed out');
    await delay(20);
  }
  return Math.round(performance.now() - started);
}

t.test('node ports at 127.0.0.1 serve processes of the node over IPv4 if `localhost` is configured', async (t) => {
  await node1.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 });
  await node1.respond({ tcp: [OWN_PORT] });
  // The client routes 127.0.0.1 to node1.
  await client.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 });
  await client.configure([
    'route del table local local 127.0.0.0/8 dev lo',
    'route del table local local 127.0.0.1 dev lo',
    `route add 127.0.0.1/32 via ${NODES.node1.ip}`,
  ]);
  const connect = (from: Namespace, protocol: 'tcp' | 'udp', port: number, address = '127.0.0.1') =>
    dial(from, { protocol, address, port, count: 12 });

  t.match(await connect(node1, 'tcp', NODE_PORT), { refused: 12 }, 'refused by default');
  t.match(await connect(client, 'tcp', OWN_PORT), { answered: 12 }, 'route_localnet alone exposes the node');
  await node1.sysctl({ 'net.ipv4.conf.all.route_localnet': 0 });
  const daemon = await proxied.restart('node1', '--nodeport-addresses', 'primary,localhost');
  await daemon.waitForLog('route_localnet enabled');
  await proxied.waitForSync();
  for (const protocol of ['tcp', 'udp'] as const) {
    const inside = await connect(node1, protocol, NODE_PORT);
    t.equal(inside.answered, 12, protocol);
    t.strictSame(Object.keys(inside.pods).sort(), ['a', 'c'], `${protocol}: endpoints of both nodes`);
    t.notOk(inside.clients.includes('127.0.0.1'), 'endpoints see an address of the node');
    t.equal(
      (await connect(node1, protocol, NODE_PORT, NODES.node1.ip)).answered,
      12,
      `${protocol}: also at the node address`,
    );
    t.equal(
      (await connect(client, protocol, NODE_PORT, NODES.node1.ip)).answered,
      12,
      `${protocol}: also from outside`,
    );
    t.match(
      await connect(client, protocol, NODE_PORT),
      { timedOut: 12 },
      `${protocol}: the client cannot reach 127.0.0.1`,
    );
  }
  t.match(await connect(node1, 'tcp', OWN_PORT), { answered: 12 }, 'other ports at 127.0.0.1 stay open');
  t.match(await connect(client, 'tcp', OWN_PORT), { timedOut: 12 }, 'but not to the client');
  t.match(await connect(node1, 'tcp', NODE_PORT, '::1'), { refused: 12 }, 'IPv6 has no route_localnet');
  await proxied.setEndpoints('shop/web', []);
  await proxied.waitForSync();
  t.match(await connect(node1, 'tcp', NODE_PORT), { refused: 12 }, 'without endpoints');
  await proxied.setEndpoints('shop/web', ['a', 'c']);
  await proxied.waitForSync();
});

t.test('an added address accepts node ports if it is in a CIDR block', async (t) => {
  const daemon = await proxied.restart('node1', '--nodeport-addresses', '192.168.77.0/24');
  await proxied.waitForSync();
  const answers = async () => {
    const report = await dial(client, { protocol: 'tcp', address: LATE_ADDRESS, port: NODE_PORT, count: 1 });
    return report.answered === 1;
  };
  await node1.configure([`address add ${LATE_ADDRESS}/24 dev lan`]);
  t.comment(`answers after ${await until(answers)} ms`);
  await node1.configure([`address del ${LATE_ADDRESS}/24 dev lan`]);
  await proxied.waitForSync();
  const warnings = daemon.log.filter(({ msg }) => msg === 'cannot monitor address changes');
  t.strictSame(warnings, [], 'address changes are monitored');
});

t.test('a changed file is applied, rejected, or restarts the daemon', async (t) => {
  const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
  const fields = 'nodePortAddresses: [198.51.100.0/24]\nclusterCIDR: 10.0.0.0/8\n';
  const volume = await createConfigMapVolume(t, `${head}${fields}`);
  const publish = (changed: string) => volume.publish(`${head}${changed}`);
  const daemon = await proxied.restart('node1', '--config', volume.path);
  await proxied.waitForSync();
  t.match(await daemon.waitForLog('flags override the configuration file'), { flags: ['--cluster-cidr'] });
  const byNodePort = { protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT, count: 10 } as const;
  t.match(await dial(client, byNodePort), { refused: 10 });

  await publish('nodePortAddresses: [primary]\niptables: {masqueradeBit: 5}\n');
  const applied = await daemon.waitForLog('configuration changed');
  t.match(applied, {
    effect: 'applied',
    fields: ['KubeProxyConfiguration.iptables.masqueradeBit', 'KubeProxyConfiguration.nodePortAddresses'],
  });
  await proxied.waitForSync();
  t.match(await dial(client, byNodePort), { answered: 10 });

  await publish('nodePortAddresses: [nowhere]\noomScoreAdj: 5000\n');
  const { reason } = await daemon.waitForLog('changed configuration is invalid; keeping the previous one');
  t.match(reason, /KubeProxyConfiguration\.oomScoreAdj: .*\n.*KubeProxyConfiguration\.nodePortAddresses\[0\]/);
  t.match(await dial(client, byNodePort), { answered: 10 });

  await publish(
    'nodePortAddresses: [primary]\niptables: {masqueradeBit: 5}\nhostnameOverride: other\nconntrack: {min: 5}\n',
  );
  const ending = await daemon.waitForLog('configuration changed; exiting to restart');
  t.match(ending, { fields: ['KubeProxyConfiguration.conntrack.min'] }, 'a flag overrides the node name');
  await daemon.waitForLog('stopped');
  t.equal(await daemon.exited(), 0);
  t.match(await dial(client, byNodePort), { answered: 10 }, 'forwarding continues');
});

t.test('cleanup warns if loopback addresses are no longer protected', async (t) => {
  await proxied.restart('node1').then((daemon) => daemon.waitForLog('ruleset complete'));
  await node1.sysctl({ 'net.ipv4.conf.all.route_localnet': 1 });
  await proxied.daemon('node1').stop();
  const { status, stdout, stderr } = await proxied.run('node1', 'cleanup');
  t.match({ status, stdout, stderr }, { status: 0, stdout: /table ip nftlane/, stderr: /route_localnet is 1/ });
  t.match(await proxied.run('node1', 'cleanup'), { status: 0, stdout: 'nothing to remove\n', stderr: '' });
});
