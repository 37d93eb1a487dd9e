// Tests disabling the fast path, `cleanup`, and the deletion of a pod.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { setUpOneService } from '../../support/fastpath/fast-path-fixture.ts';
import { NODE_PORT } from '../../support/fastpath/fast-path-world.ts';
import { NODES } from '../../support/netns/topology.ts';

t.setTimeout(110_000);
const { fast, pods, dialer } = await setUpOneService(t);
const FRONTENDS = 4;

/** Starts connections in both families. */
async function startPersistentFlows(count: number) {
  const kept = (['ip', 'ip6'] as const).flatMap((family) =>
    Array.from({ length: count / 2 }, () =>
      dialer.keepConnection({ protocol: 'tcp', address: NODES.node1[family], port: NODE_PORT, timeoutMs: 3000 }),
    ),
  );
  return Promise.all(kept);
}

async function startFastPath(): Promise<void> {
  await fast.startDaemon('--fast-path', 'auto');
  await fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);
}

t.test('conntrack takes over live flows when the fast path is disabled', async (t) => {
  await startFastPath();
  const kept = await startPersistentFlows(8);
  const before = await fast.countReasons('FORWARDED');
  t.ok(before > 0);
  t.equal(await fast.daemon.stop(), 0);
  t.not(await fast.pins(), '', 'programs stay pinned when the daemon exits');
  const daemon = await fast.startDaemon('--fast-path', 'off');
  const { restoredFlows, ...rest } = await daemon.waitForLog('fast path removed', 0, 30_000);
  t.comment(JSON.stringify(rest));
  t.ok(Number(restoredFlows) >= kept.length, `${restoredFlows} flows`);
  t.equal(await fast.pins(), '');
  const report = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT, count: 20 });
  t.equal(report.answered, 20, 'nftables serves');
  for (const { attempts, answered, pods } of await Promise.all(kept.map((client) => client.stop()))) {
    t.equal(answered, attempts);
    t.equal(Object.keys(pods).length, 1);
  }
});

t.test('cleanup removes the fast path', async (t) => {
  await fast.daemon.stop();
  await startFastPath();
  await fast.daemon.stop();
  const { status, stdout } = await fast.cleanup();
  t.equal(status, 0);
  t.match(stdout, /removed the fast path at/);
  t.equal(await fast.pins(), '');
  t.match(await fast.world.node1.output('tc', ['qdisc', 'show', 'dev', 'lan']), /^(?!.*clsact)/);
});

t.test('clients of a deleted pod are reset within a second', async (t) => {
  await startFastPath();
  const kept = await startPersistentFlows(16);
  await fast.writeService('shop/web', 1, { pods: pods.slice(0, 1), nodePort: NODE_PORT });
  await fast.waitFor('its slots are draining', ({ slots }) => slots.draining > 0);
  const deletedAt = performance.now();
  await fast.world.removePod('b');
  await delay(1000);
  const reports = await Promise.all(kept.map((client) => client.stop()));
  t.comment(
    `after ${Math.round(performance.now() - deletedAt)} ms: ${JSON.stringify(reports.map(({ errors }) => errors))}`,
  );
  for (const { pods, timedOut, errors } of reports) {
    t.equal(timedOut, 0, 'no client timed out');
    t.equal(Object.keys(errors).length > 0, 'b' in pods, 'only clients of the deleted pod are reset');
  }
});
