// Tests with real packets: the example of README.md for a host without Kubernetes, with the flags that it names.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildProgram, installBundle, startDaemon } from '../../support/netns/installation.ts';
import { NODES } from '../../support/netns/topology.ts';
import type { Dialer } from '../../support/netns/traffic/dialer-process.ts';
import { createWorld } from '../../support/netns/world.ts';
import { poll } from '../../support/wait-until.ts';

/** The indented blocks of the README. */
const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
const blocks = readme.match(/(?:^ {4}.*\n)+/gm)?.map((block) => block.replaceAll(/^ {4}/gm, '')) ?? [];
const manifest = blocks.find((block) => block.startsWith('apiVersion:')) ?? '';
const commands = blocks.find((block) => block.includes('sysctl -w')) ?? '';

/** The addresses that the README names. */
const ENDPOINTS = { a: ['10.0.0.1', 'fd00::1'], c: ['10.0.0.2', 'fd00::2'] } as const;
const EXTERNAL_IPS = ['192.0.2.10', '2001:db8::10'];

t.setTimeout(120_000);
const scratch = t.testdir({});
const directory = join(scratch, 'DIR');
await mkdir(directory);
const [program, world] = await Promise.all([
  buildProgram(join(scratch, 'nftlane.mjs')),
  createWorld({ pods: { node1: ['a', 'c'] } }),
]);
t.teardown(() => world.destroy());
const { node1, client } = world;

/** Gives the pods the addresses of the README. */
for (const [name, [ip, ip6]] of Object.entries(ENDPOINTS)) {
  const pod = world.pod(name);
  await pod.configure([`address add ${ip}/32 dev eth0`, `address add ${ip6}/128 dev eth0 nodad`]);
  await node1.configure([`route add ${ip}/32 dev pod-${name}`, `route add ${ip6}/128 dev pod-${name}`]);
  await pod.respond({ tcp: [8080], udp: [] });
}
await node1.respond({ tcp: [8080], udp: [] });

const [sysctl = '', run = ''] = commands.split('\n');
const settings = sysctl.split(' ').filter((word) => word.includes('='));
await node1.sysctl(Object.fromEntries(settings.map((setting) => setting.split('='))));
await writeFile(join(directory, 'web.yaml'), manifest);
const installation = installBundle(node1, { program, runDir: join(scratch, 'run') });
const flags = run.split(' ').slice(2);
const daemon = startDaemon(installation, [
  ...flags.map((word) => (word === 'DIR' ? directory : word)),
  '--log-format',
  'json',
]);
t.teardown(() => daemon.stop());
await daemon.waitForLog('ruleset complete');
const [outside, inside] = await Promise.all([client.dialer(), node1.dialer()]);

interface Target {
  readonly address: string;
  readonly port: number;
  readonly pods: readonly string[];
}

async function answersAt(t: Test, dialer: Dialer, { address, port, pods }: Target): Promise<void> {
  const report = await dialer.dial({ protocol: 'tcp', address, port, count: 60 });
  t.match(report, { attempts: 60, answered: 60 }, `${address}:${port}`);
  t.strictSame(Object.keys(report.pods).sort(), pods, `${address}:${port}`);
}

t.test('the example of the README has what the test expects', async (t) => {
  t.match(run, /^nftlane run --manifests DIR --masquerade-all --nodeport-addresses all,localhost$/);
  for (const address of [...ENDPOINTS.a, ...ENDPOINTS.c, ...EXTERNAL_IPS]) t.match(manifest, address);
  t.strictSame(settings, ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
});

t.test('clients reach the endpoints at node ports and external IPs', async (t) => {
  for (const address of [NODES.node1.ip, NODES.node1.ip6])
    await answersAt(t, outside, { address, port: 30080, pods: ['a', 'c'] });
  for (const address of EXTERNAL_IPS) await answersAt(t, outside, { address, port: 80, pods: ['a', 'c'] });
});

t.test('programs of the host reach them at 127.0.0.1, too', async (t) => {
  await answersAt(t, inside, { address: '127.0.0.1', port: 30080, pods: ['a', 'c'] });
});

t.test('nothing of the example is reported', async (t) => {
  const { stdout, stderr, status } = await installation.exec(['inspect', 'services', 'default/web']);
  t.match({ status, stderr }, { status: 0, stderr: '' });
  t.notMatch(stdout, /warning/);
  t.strictSame(
    daemon.log
      .filter(({ level }) => level === 'warn' || level === 'error')
      .map(({ msg, ...rest }) => ({ msg, ...rest })),
    [],
  );
});

t.test('an endpoint at loopback is refused, and one at another address of the host works', async (t) => {
  const loopback = manifest.replace('10.0.0.1', '127.0.0.1').replace('fd00::1', '::1');
  await writeFile(join(directory, 'web.yaml'), loopback);
  const warnings = await poll(() => installation.exec(['inspect', 'services', 'default/web']), {
    until: ({ stdout }) => stdout.split('is a loopback address; ignoring this endpoint').length === 3,
    failure: ({ stdout }) => `no warnings: ${stdout}`,
    timeoutMs: 5000,
  });
  t.equal(warnings.status, 0);
  await answersAt(t, outside, { address: NODES.node1.ip, port: 30080, pods: ['c'] });

  const own = manifest.replace('10.0.0.1', NODES.node1.ip).replace('fd00::1', NODES.node1.ip6);
  await writeFile(join(directory, 'web.yaml'), own);
  await poll(() => installation.exec(['inspect', 'services', 'default/web']), {
    until: ({ stdout }) => stdout.includes(`${NODES.node1.ip}:8080`) && stdout.includes(`[${NODES.node1.ip6}]:8080`),
    failure: ({ stdout }) => `the endpoints are missing: ${stdout}`,
    timeoutMs: 5000,
  });
  for (const address of [NODES.node1.ip, NODES.node1.ip6])
    await answersAt(t, outside, { address, port: 30080, pods: ['c', 'node1'] });
  await answersAt(t, inside, { address: '127.0.0.1', port: 30080, pods: ['c', 'node1'] });
});
