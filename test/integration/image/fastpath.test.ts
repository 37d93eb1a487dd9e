// Tests the fast path as the overlay `fastpath` deploys it: the image's files with the manifest's arguments, rights and mounts.

import t from 'tap';
import { setUpOneService } from '../../support/fastpath/fast-path-fixture.ts';
import { NODE_PORT } from '../../support/fastpath/fast-path-world.ts';
import { NODES } from '../../support/netns/topology.ts';
import { type DeployedOverlay, deploy } from './deployed-overlay.ts';

t.setTimeout(110_000);
let initialize: DeployedOverlay['initialize'] | undefined;
const { fast, dialer } = await setUpOneService(t, async (node) => {
  const deployed = await deploy('fastpath', node);
  initialize = deployed.initialize;
  return deployed;
});

t.test('the fast path serves a Service with the rights of the manifest', async (t) => {
  t.match(await initialize?.(), { status: 0, stderr: /fast path prepared/ });
  await fast.startDaemon('--fast-path', 'required');
  const view = await fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === 4);
  t.match(view, { uplinks: [{ name: 'lan' }], podDevices: ['pod-a', 'pod-b'], skipped: [] });
  for (const protocol of ['tcp', 'udp'] as const) {
    const before = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    const report = await dialer.dial({ protocol, address: NODES.node1.ip, port: NODE_PORT, count: 40 });
    t.equal(report.answered, 40, JSON.stringify(report));
    t.ok(
      (await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED')) - before >= 40,
      `${protocol} takes the fast path`,
    );
  }
});

t.test('a restarted container reuses the pinned maps and programs, and loses no connection', async (t) => {
  const keep = (family: 'ip' | 'ip6') =>
    dialer.keepConnection({ protocol: 'tcp', address: NODES.node1[family], port: NODE_PORT, timeoutMs: 5000 });
  const kept = await Promise.all(Array.from({ length: 20 }, (_, i) => keep(i % 2 === 0 ? 'ip' : 'ip6')));
  const taken = await fast.countReasons('CREATED');
  for (const end of [() => fast.daemon.stop(), () => fast.killDaemon()]) {
    await end();
    t.not(await fast.pins(), '');
    await fast.startDaemon('--fast-path', 'required');
    const view = await fast.waitFor(
      'the fast path has been checked',
      ({ reason = '' }) => !reason.startsWith('not started yet'),
    );
    t.match(view, { state: 'on', podDevices: ['pod-a', 'pod-b'], skipped: [] });
    t.strictSame(view.uplinks, [{ name: 'lan' }]);
  }
  const before = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
  t.ok(before >= taken, 'the counters continue');
  const report = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT, count: 20 });
  t.equal(report.answered, 20);
  t.ok(
    (await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED')) - before >= 20,
    'new connections take the fast path',
  );
  for (const { attempts, answered, errors } of await Promise.all(kept.map((client) => client.stop()))) {
    t.equal(answered, attempts, JSON.stringify(errors));
  }
});

t.test('a daemon and cleanup of the base overlay, which cannot reach the attached programs, report it', async (t) => {
  await fast.daemon.stop();
  await fast.install((node) => deploy('base', node));
  const daemon = await fast.startDaemon();
  t.match(await daemon.waitForLog('cannot remove fast path'), {
    level: 'error',
    reason: /"\/run\/bpf\/nftlane\/v1"/,
  });
  await daemon.stop();
  const { status, stderr } = await fast.cleanup();
  t.equal(status, 3);
  t.match(stderr, /^nftlane: Cannot remove the fast path: .* --fast-path-dir DIRECTORY/);
  t.not(await fast.pins(), '');
  await fast.install((node) => deploy('fastpath', node));
  await fast.startDaemon();
});

t.test('cleanup in the container leaves nothing on the node', async (t) => {
  await fast.daemon.stop();
  t.match(await fast.cleanup(), { status: 0, stderr: '', stdout: /^removed the fast path at / });
  t.equal(await fast.pins(), '');
  t.match(await fast.cleanup(), { status: 0, stderr: '', stdout: 'nothing to remove\n' });
});

t.test('without CAP_BPF the daemon reports it, and exits where the fast path is required', async (t) => {
  await fast.install((node) => deploy('fastpath', node, { without: ['BPF'] }));
  const { status, stderr } = await fast.runDaemonToExit('--fast-path', 'required');
  t.equal(status, 3);
  t.match(stderr, /Cannot start the required fast path: capabilities: needs CAP_BPF/);
  const daemon = await fast.startDaemon();
  t.match(await daemon.waitForLog('fast path is off'), { level: 'warn', reason: /^capabilities: needs CAP_BPF/ });
  const report = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT, count: 20 });
  t.equal(report.answered, 20, 'nft serves');
});
