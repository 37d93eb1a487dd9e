// Tests of `doctor` in network namespaces, on a healthy node and on broken ones.

import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { loadNftables } from '../../support/netns/kube-proxy-rules.ts';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';

const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { node1, node2, client } = world;
const WEB = await proxied.addService('shop/web', 10, { pods: ['a', 'c'] });
await proxied.waitForSync();

interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'problem';
  readonly message: string;
  readonly advice: string;
}

async function examine(node: 'node1' | 'node2' = 'node1'): Promise<{ status: number; checks: Map<string, Check> }> {
  const { status, stdout } = await proxied.run(node, 'doctor', '-o', 'json');
  const { checks }: { checks: Check[] } = JSON.parse(stdout);
  return { status, checks: new Map(checks.map((check) => [check.name, check])) };
}

t.test('doctor reports no problem on a healthy node', async (t) => {
  const { status, checks } = await examine();
  t.equal(status, 0);
  const problems = [...checks.values()].filter((check) => check.status === 'problem');
  t.strictSame(problems, []);
  for (const name of ['nft', 'IPv4 nftables', 'IPv6 nftables', 'privileges', 'daemon', 'ruleset', 'kube-proxy']) {
    t.match(checks.get(name), { status: 'ok', advice: '' }, name);
  }
  const { stdout } = await proxied.run('node1', 'doctor');
  t.match(stdout, /^ok +ruleset +the kernel holds the desired ruleset$/m);
  t.match(stdout, /\d+ ok, (?:1 warning|\d+ warnings), 0 problems\n$/);
});

t.test('doctor changes nothing', async (t) => {
  const before = await node1.output('nft', ['-s', 'list', 'ruleset']);
  await examine();
  t.equal(await node1.output('nft', ['-s', 'list', 'ruleset']), before);
});

t.test('doctor reports a difference that lasts as a problem', async (t) => {
  // Without notifications, nothing notices this before the verification of all elements.
  const directory = t.testdir({
    nft: '#!/bin/sh\ncase "$*" in *monitor*) exec sleep 1000 ;; esac\nexec nft "$@"\n',
  });
  await chmod(join(directory, 'nft'), 0o755);
  await proxied.restart('node1', '--nft', join(directory, 'nft'));
  await proxied.waitForSync();
  await node1.output('nft', ['flush', 'map', 'ip', 'nftlane', 'service-ips']);
  const { status, checks } = await examine();
  t.equal(status, 1);
  t.match(checks.get('ruleset'), {
    status: 'problem',
    message: /differences between the desired ruleset and the kernel/,
  });
  await proxied.restart('node1');
  await proxied.waitForSync();
  t.match((await examine()).checks.get('ruleset'), { status: 'ok' });
});

t.test('doctor finds problems and gives advice', async (t) => {
  const endpoints = [world.pod('a')];
  const rules = { name: 'web', protocol: 'tcp', at: WEB, port: 80, endpoints, targetPort: 8080 } as const;
  await loadNftables(node1, [rules]);
  await node1.output('nft', ['-f', '-'], {
    input:
      'table inet strict {\nchain f { type filter hook forward priority 10; policy drop; ct status dnat accept; }\n}\n',
  });
  await node1.sysctl({ 'net.ipv4.ip_forward': 0, 'net.ipv4.ip_local_port_range': '20000 60999' });
  const { status, checks } = await examine();
  t.equal(status, 1);
  const expected = {
    'kube-proxy': { status: 'warning', message: /nftables table ip kube-proxy/, advice: /cleanup --kube-proxy/ },
    'drop policies': { status: 'warning', message: /inet strict f/ },
    'IPv4 forwarding': { status: 'problem', message: /ip_forward is 0/ },
    'node port range': { status: 'warning', advice: /ip_local_reserved_ports=30000-32767/ },
    'health port 10256': { status: 'ok', message: 'used by nftlane' },
  };
  for (const [name, check] of Object.entries(expected)) t.match(checks.get(name), check, name);
  await node1.output('nft', ['-f', '-'], {
    input: 'delete table inet strict\ndelete table ip kube-proxy\ndelete table ip6 kube-proxy\n',
  });
  await node1.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv4.ip_local_port_range': '32768 60999' });
});

t.test('doctor works without a daemon and without privileges', async (t) => {
  await proxied.daemon('node2').stop();
  const { status, checks } = await examine('node2');
  t.equal(status, 1, 'rules that no daemon updates are a problem');
  t.match(checks.get('daemon'), { status: 'problem', message: /no daemon answers/ });
  const server = node2.spawn(process.execPath, [
    '-e',
    'require("net").createServer().listen(10256, () => console.log(1))',
  ]);
  await new Promise((resolve) => server.stdout.once('data', resolve));
  const taken = await examine('node2');
  t.equal(taken.status, 1);
  t.match(taken.checks.get('health port 10256'), { status: 'problem', message: /used by node/ });
  server.kill('SIGKILL');
  const [, socket = ''] = /at (\S+):/.exec(checks.get('daemon')?.message ?? '') ?? [];
  await node2.output('touch', [socket]);
  t.match(await proxied.run('node2', 'cleanup'), { status: 0, stdout: `removed the socket ${socket}\n` });
  t.match(await proxied.run('node2', 'cleanup'), { status: 0, stdout: 'nothing to remove\n' });
  const main = new URL('../../../src/main.ts', import.meta.url).pathname;
  const bare = ['--bounding-set=-net_admin', '--inh-caps=-net_admin', process.execPath, main, 'doctor', '-o', 'json'];
  const without = await client.exec('setpriv', bare);
  t.equal(without.status, 1);
  t.match(JSON.parse(without.stdout).checks[0], { name: 'privileges', status: 'problem' });
});
