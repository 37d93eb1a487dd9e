// Signals, crashes and a log without a reader: how the daemon ends, and that it continues.

import { once } from 'node:events';
import { access, chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { clusterIps, service } from '../../support/builders/service.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { Daemon } from '../../support/netns/daemon.ts';
import { execute, type PipedChild, start } from '../../support/netns/process.ts';
import { createSingleNode } from '../../support/netns/single-node.ts';
import { poll } from '../../support/wait-until.ts';

const LIMIT_MS = 2_000;

t.setTimeout(180_000);
const single = await createSingleNode(t);
const { node, installation, flags, scratch } = single;

const serviceObject = (name: string, address: string) =>
  service(name, { spec: { ...clusterIps(address), ports: [{ port: 80 }] } });

/** Ends the daemon by SIGTERM. */
async function stopInTime(t: Test, daemon: Daemon): Promise<void> {
  const startedAt = performance.now();
  t.equal(await daemon.stop(), 0);
  const ms = performance.now() - startedAt;
  t.ok(ms < LIMIT_MS * loadFactor(), `ended after ${ms.toFixed()} ms`);
}

/** A program that hangs. */
async function hangingProgram(
  name: string,
): Promise<{ readonly path: string; readonly started: () => Promise<unknown> }> {
  const [path, flag] = [join(scratch, `hanging-${name}`), join(scratch, `hanging-${name}-started`)];
  await rm(flag, { force: true });
  await writeFile(path, `#!/bin/sh\ntrap '' TERM\n: >'${flag}'\nsleep 600\n`);
  await chmod(path, 0o755);
  const started = () =>
    poll(
      () =>
        access(flag).then(
          () => true,
          () => false,
        ),
      {
        until: (exists) => exists,
        failure: () => `${name} has not been started`,
        timeoutMs: 30_000,
      },
    );
  return { path, started };
}

t.test('SIGHUP reads the configuration again, other signals are ignored, and none opens a debugger', async (t) => {
  const config = join(scratch, 'config.yaml');
  await writeFile(config, 'apiVersion: nftlane.io/v1alpha1\nkind: NftlaneConfiguration\n');
  const daemon = single.start('--config', config);
  await daemon.waitForLog('ruleset complete');
  daemon.signal('SIGHUP');
  t.match(await daemon.waitForLog('reading the configuration file again after SIGHUP'), { file: config });
  t.match(await daemon.waitForLog('configuration changed'), { fields: [], effect: 'none' });
  for (const signal of [
    'SIGUSR1',
    'SIGUSR2',
    'SIGALRM',
    'SIGVTALRM',
    'SIGIO',
    'SIGPWR',
    'SIGPIPE',
    'SIGWINCH',
  ] as const)
    daemon.signal(signal);
  const before = daemon.log.length;
  daemon.signal('SIGHUP');
  await daemon.waitForLog('configuration changed', before);
  t.notMatch(await node.output('ss', ['-ltnp']), ':9229');
  await stopInTime(t, daemon);
});

t.test('the bundle names the option that keeps SIGUSR1 from the debugger while it starts', async (t) => {
  t.equal(await node.output('head', ['-n', '1', single.program]), '#!/usr/bin/env -S node --disable-sigusr1\n');
});

t.test('SIGTERM ends a daemon whose nft hangs in the middle of a sync', async (t) => {
  const daemon = single.start();
  await daemon.waitForLog('ruleset complete');
  await node.output('pkill', ['-STOP', '-P', String(daemon.pid)]);
  await single.write('web.yaml', serviceObject('shop/web', '172.30.0.8'));
  await single.write('web2.yaml', serviceObject('shop/web2', '172.30.0.9'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await stopInTime(t, daemon);
  t.equal((await node.exec('pgrep', ['-P', String(daemon.pid)])).stdout, '', 'nothing is left behind');
});

t.test('SIGTERM ends a daemon whose nft hangs at the start, and one whose conntrack hangs', async (t) => {
  const nft = await hangingProgram('nft');
  const starting = single.start('--nft', nft.path);
  await nft.started();
  await stopInTime(t, starting);
  const conntrack = await hangingProgram('conntrack');
  await single.write(
    'dns.yaml',
    service('shop/dns', { spec: { ...clusterIps('172.30.0.53'), ports: [{ port: 53, protocol: 'UDP' }] } }),
  );
  const daemon = single.start('--conntrack', conntrack.path);
  await daemon.waitForLog('ruleset complete');
  await single.write('dns.yaml');
  await conntrack.started();
  await stopInTime(t, daemon);
});

t.test('SIGTERM ends a daemon whose API server accepts connections and says nothing', async (t) => {
  const program = `require('node:net').createServer(() => {}).listen(16443, '127.0.0.1', () => console.log('listening'))`;
  const silent = node.spawn(process.execPath, ['-e', program]);
  await once(silent.stdout, 'data');
  const kubeconfig = join(scratch, 'kubeconfig');
  const cluster = { server: 'http://127.0.0.1:16443' };
  const context = { cluster: 'c', user: 'u' };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'x', users: [{ name: 'u', user: {} }] },
      ...{ clusters: [{ name: 'c', cluster }], contexts: [{ name: 'x', context }] },
    }),
  );
  const child = installation.start(['run', '--node-name', 'node1', '--kubeconfig', kubeconfig, '--log-format', 'json']);
  const daemon = new Daemon(child, () => installation.exec(['diff']));
  await daemon.waitForLog('started');
  await stopInTime(t, daemon);
  silent.kill('SIGKILL');
});

t.test('the second SIGTERM ends the daemon immediately', async (t) => {
  const nft = await hangingProgram('nft');
  const daemon = single.start('--nft', nft.path);
  await nft.started();
  daemon.signal('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startedAt = performance.now();
  t.equal(await daemon.stop(), 0);
  t.ok(performance.now() - startedAt < 1_000 * loadFactor());
});

t.test('an unexpected error ends the daemon with status 5 and its stack in the log', async (t) => {
  for (const code of [
    "setTimeout(() => { throw new Error('broken invariant') }, 800)",
    "setTimeout(() => Promise.reject(new Error('broken invariant')), 800)",
  ]) {
    const environment = `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(code)}`;
    const command = ['netns', 'exec', node.name, 'env', environment, process.execPath, single.program, 'run'];
    const child = start('ip', [...command, '--run-dir', join(scratch, 'run'), ...flags]);
    const daemon = new Daemon(node.adopt(child), () => installation.exec(['diff']));
    t.equal(await daemon.exited(), 5);
    const reason = 'Error: broken invariant';
    t.match(daemon.log.at(-1), { level: 'error', msg: /^unexpected error/, reason, stack: [/^at .*:1:/] });
  }
});

t.test('an unexpected error of a command is one line', async (t) => {
  const code = "setTimeout(() => Promise.reject(new Error('two\\nlines')), 300)";
  const environment = `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(code)}`;
  const fifo = join(scratch, 'unread');
  await execute('mkfifo', [fifo]);
  const render = [environment, process.execPath, single.program, 'render', '-f', fifo];
  const { status, stderr } = await execute('env', render);
  t.equal(status, 5);
  t.match(stderr, /^nftlane: unexpected error: Error: two\\nlines at [^\n]+\n$/);
});

t.test('warnings of Node are messages of the daemon, or one line of a command', async (t) => {
  const code = "setTimeout(() => process.emitWarning('two\\nlines', 'DeprecationWarning'), 400).unref()";
  const environment = `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(code)}`;
  const command = ['netns', 'exec', node.name, 'env', environment, process.execPath, single.program];
  const child = start('ip', [...command, 'run', '--run-dir', join(scratch, 'run'), ...flags]);
  const daemon = new Daemon(node.adopt(child), () => installation.exec(['diff']));
  await daemon.waitForLog('warning of Node');
  const found = daemon.log.find(({ msg }) => msg === 'warning of Node');
  t.match(found, { level: 'warn', name: 'DeprecationWarning', reason: 'two\nlines' });
  t.equal(await daemon.stop(), 0);
  const fifo = join(scratch, 'never-written');
  await execute('mkfifo', [fifo]);
  const { stderr } = await execute('timeout', ['2', 'ip', ...command, 'render', '-f', fifo]);
  t.equal(stderr, 'nftlane: warning of Node: DeprecationWarning: two\\nlines\n');
});

/** Starts the daemon with a log that nothing reads. */
function startUnread(...more: readonly string[]): PipedChild {
  return installation.start(['run', ...flags, '--log-level', 'debug', ...more]);
}

/** Writes Services that are refused with a warning each. */
async function writeInvalid(count: number, port: number): Promise<void> {
  const services = Array.from({ length: count }, (_, index) => ({
    ...serviceObject(`bad/service-${index}`, '172.30.0.1'),
    spec: { clusterIP: '172.30.0.1', clusterIPs: ['172.30.0.1'], ports: [{ port: -port }, { port: 'x'.repeat(60) }] },
  }));
  await single.write('invalid.yaml', ...services);
}

/** Whether the kernel serves the cluster IP. */
const isServed = async (address: string) =>
  (await node.exec('nft', ['list', 'set', 'ip', 'nftlane', 'cluster-ips'])).stdout.includes(address);

async function untilServed(address: string): Promise<void> {
  await poll(() => isServed(address), {
    until: (served) => served,
    failure: () => `${address} is not served`,
    timeoutMs: 20_000,
  });
}

t.test('a log that nothing reads delays neither a change, nor a health check, nor SIGTERM', async (t) => {
  // A pipe holds 64 KiB, and the messages about one file of invalid objects are more.
  const pipe = join(scratch, 'log');
  await node.output('mkfifo', [pipe]);
  const reader = node.spawn('sh', ['-c', `exec sleep 600 <'${pipe}'`]);
  const command = [process.execPath, single.program, 'run', '--run-dir', join(scratch, 'run'), ...flags];
  const child = node.spawn('sh', ['-c', `exec "$@" 2>'${pipe}'`, 'sh', ...command]);
  for (const port of [1, 2, 3]) {
    await writeInvalid(1_500, port);
    const late = `172.30.0.${20 + port}`;
    await single.write('late.yaml', serviceObject('shop/late', late));
    await untilServed(late);
  }
  const health = ['-s', '-m', '2', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1:10256/livez'];
  t.equal(await node.output('curl', health), '200');
  const ended = once(child, 'exit');
  const startedAt = performance.now();
  child.kill('SIGTERM');
  t.strictSame(await ended, [0, null]);
  t.ok(performance.now() - startedAt < LIMIT_MS * loadFactor());
  const read = await node.exec('timeout', [
    '1',
    'dd',
    `if=${pipe}`,
    'iflag=nonblock',
    'of=/dev/null',
    'bs=65536',
    'count=1',
  ]);
  t.match(read.stderr, /6[0-9]{4} bytes/, 'the pipe was full');
  reader.kill('SIGKILL');
  await rm(join(scratch, 'manifests', 'invalid.yaml'));
});

t.test('a reader of the log that goes away, and a full disk, do not end the daemon', async (t) => {
  const script = 'exec "$@" 2>/dev/full >/dev/full';
  const command = [process.execPath, single.program, 'run', '--run-dir', join(scratch, 'run'), ...flags];
  const onFullDisk = node.spawn('sh', ['-c', script, 'sh', ...command]);
  await single.write('late.yaml', serviceObject('shop/late', '172.30.0.31'));
  await untilServed('172.30.0.31');
  const child = startUnread();
  child.stderr.destroy();
  t.equal((await once(child, 'exit'))[0], 3, 'the other daemon runs');
  onFullDisk.kill('SIGTERM');
  t.strictSame(await once(onFullDisk, 'exit'), [0, null]);
  const orphan = startUnread();
  await single.write('late.yaml', serviceObject('shop/late', '172.30.0.32'));
  await untilServed('172.30.0.32');
  orphan.stderr.destroy();
  await writeInvalid(10, 1);
  await single.write('late.yaml', serviceObject('shop/late', '172.30.0.33'));
  await untilServed('172.30.0.33');
  orphan.kill('SIGTERM');
  t.strictSame(await once(orphan, 'exit'), [0, null]);
});

t.test('full file systems for the socket, temporary files and shared memory do not stop a change', async (t) => {
  const run = join(scratch, 'full');
  await mkdir(run);
  const mounts = [run, '/dev/shm', '/tmp'].filter((path) => path !== '/tmp' || !scratch.startsWith('/tmp'));
  const fill = (path: string) => `mount -t tmpfs -o size=64k tmpfs ${path} && cat /dev/zero >${path}/full 2>/dev/null`;
  const script = `${mounts.map((path) => `{ ${fill(path)}; true; }`).join(' && ')}; exec "$@"`;
  const command = [process.execPath, single.program, 'run', '--run-dir', run, ...flags];
  const child = node.spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', ...command]);
  const daemon = new Daemon(child, () => installation.exec(['diff']));
  await daemon.waitForLog('ruleset complete');
  await single.write('late.yaml', serviceObject('shop/late', '172.30.0.41'));
  await untilServed('172.30.0.41');
  await stopInTime(t, daemon);
});

t.test('a command whose output is closed early does not fail, and without a disk it says so', async (t) => {
  const daemon = single.start();
  await daemon.waitUntilReady();
  const command = `${process.execPath} ${single.program} inspect ruleset --run-dir ${join(scratch, 'run')}`;
  const closed = await node.exec('bash', ['-c', `${command} | head -n 1; exit "\${PIPESTATUS[0]}"`]);
  t.match(closed, { status: 0, stderr: '' });
  const render = `${process.execPath} ${single.program} render -f ${join(scratch, 'manifests')}`;
  const disk = 'mount -t tmpfs -o size=4k tmpfs /mnt';
  const full = await node.exec('unshare', ['--mount', 'bash', '-c', `${disk} && ${render} >/mnt/output`]);
  t.equal(full.status, 5);
  t.match(full.stderr, /Cannot write the output: .*ENOSPC/);
  const silent = await node.exec('bash', ['-c', `${command} 2>&- >/dev/null`]);
  t.equal(silent.status, 0);
  await stopInTime(t, daemon);
});
