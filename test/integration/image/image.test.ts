// Tests the image's files with the rights of a pod: every program runs, and nftlane needs only NET_ADMIN.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { memoryMb } from '../../bench/system/proc.ts';
import { Daemon } from '../../support/netns/daemon.ts';
import { NODES } from '../../support/netns/topology.ts';
import { createWorld } from '../../support/netns/world.ts';
import { makeImageFiles, readDockerfile, runContainer, startContainer } from './container.ts';
import { SIZE, writeThousandServices } from './thousand-services.ts';

/** Limit of anonymous memory right after the load; `make image-bench` measures the settled memory. */
const OWN_MEMORY_MB = 60;
const NODE = ['--node-name', 'n1', '--cluster-cidr', '10.128.0.0/9', '--bind-address', NODES.node1.ip];
const RUN = ['run', '--manifests', '/run/input', ...NODE, '--log-format', 'json'];

t.setTimeout(360_000);
await makeImageFiles();
const inputDirectory = await mkdtemp(join(tmpdir(), 'nftlane-image-'));
const world = await createWorld();
t.teardown(async () => {
  await world.destroy();
  await rm(inputDirectory, { recursive: true });
});
await writeThousandServices(inputDirectory);
const { node1, node2 } = world;

t.test('every program of the image finds its libraries', async (t) => {
  const programs = ['ip', 'tc', 'ss'].map((name) => [name, '-V'] as const);
  const others = ['nft', 'conntrack', 'ipset', 'kmod'].map((name) => [name, '--version'] as const);
  const tables = ['iptables', 'ip6tables'].flatMap((name) =>
    ['', '-save', '-restore'].flatMap((job) =>
      [`${name}${job}`, `${name}-nft${job}`, `${name}-legacy${job}`].map((program) => [program, '--version'] as const),
    ),
  );
  for (const [name, flag] of [...programs, ...others, ...tables]) {
    const folder = ['ip', 'ss', 'kmod'].includes(name) ? '/usr/bin' : '/usr/sbin';
    const { status, stderr } = await runContainer(node1, [flag], { program: `${folder}/${name}` });
    t.equal(status, 0, `${name} ${stderr}`);
  }
});

t.test('nftlane is the entry point, also under the name kube-proxy', async (t) => {
  t.match(await runContainer(node1, ['version']), { status: 0, stdout: /^nftlane \d+\.\d+\.\d+\n$/, stderr: '' });
  t.match(await runContainer(node1, ['--help'], { program: '/usr/local/bin/kube-proxy' }), {
    status: 0,
    stdout: /^Usage: nftlane run /,
  });
  t.strictSame(readDockerfile().ports, ['10249/tcp', '10256/tcp']);
});

t.test('render needs no capabilities', async (t) => {
  const { status, stdout, stderr } = await runContainer(node1, ['render', '-f', '/run/input'], {
    inputDirectory,
    capabilities: [],
  });
  t.match({ status, stderr }, { status: 0, stderr: '' });
  t.match(stdout, /table ip nftlane/);
});

t.test(
  'run programs the kernel with NET_ADMIN alone, after the init container has applied kernel settings',
  async (t) => {
    const initial = await runContainer(node1, ['run', '--init-only'], { canWriteSettings: true });
    t.match(initial, { status: 0, stderr: /nf_conntrack_tcp_timeout_established/ });
    const child = startContainer(node1, RUN, { inputDirectory });
    const diff = () => runContainer(node1, ['diff', '-f', '/run/input', ...NODE], { inputDirectory });
    const daemon = new Daemon(child, diff);
    const complete = await daemon.waitForLog('ruleset complete');
    t.match(complete, { services: SIZE.services });
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    for (const line of ['CapPrm', 'CapEff', 'CapBnd'])
      t.match(status, new RegExp(`^${line}:\\t0000000000001000$`, 'm'));
    t.match(status, /^NoNewPrivs:\t1$/m);
    t.match(status, /^Uid:\t0\t/m);
    t.match(await diff(), { status: 0 });
    const own = memoryMb(child.pid ?? 0, 'RssAnon');
    t.ok(own > 0 && own <= OWN_MEMORY_MB, `${own.toFixed(0)} MB of anonymous memory`);
    t.strictSame(
      daemon.log.filter(({ level }) => level !== 'info'),
      [],
    );
    t.equal(await daemon.stop(), 0);
  },
);

t.test('the programs of the migration from kube-proxy work with the capabilities of its overlay', async (t) => {
  for (const name of ['iptables', 'ip6tables']) {
    const asMigrated = { capabilities: ['NET_ADMIN', 'NET_RAW'], hasXtablesLock: true };
    const add = ['-t', 'nat', '-N', 'KUBE-SERVICES'];
    for (const kind of ['nft', 'legacy']) {
      const container = { ...asMigrated, program: `/usr/sbin/${name}-${kind}` };
      t.match(await runContainer(node2, add, container), { status: 0, stderr: '' }, `${name}-${kind}`);
    }
    const nft = await runContainer(node2, ['-t', 'nat', '-X'], { program: `/usr/sbin/${name}-nft` });
    t.match(nft, { status: 0 }, `${name}-nft needs neither NET_RAW nor the lock`);
    const legacy = { program: `/usr/sbin/${name}-legacy`, hasXtablesLock: true };
    t.match(await runContainer(node2, ['-t', 'nat', '-X'], legacy), { status: 3 }, `${name}-legacy needs NET_RAW`);
  }
  const sets = await runContainer(node2, ['create', 'KUBE-X', 'hash:ip'], { program: '/usr/sbin/ipset' });
  t.match(sets, { status: 0, stderr: '' });
});

t.test('run without NET_ADMIN reports the missing capability', async (t) => {
  const { status, stderr } = await runContainer(node2, RUN, { inputDirectory, capabilities: [] });
  t.equal(status, 3);
  t.match(stderr, /NET_ADMIN|privileg|permitted/i);
});
