// Tests setups that the fast path does not support, and the reported reasons.

import t from 'tap';
import { setUpOneService } from '../../support/fastpath/fast-path-fixture.ts';
import { NODE_PORT } from '../../support/fastpath/fast-path-world.ts';
import { NODES } from '../../support/netns/topology.ts';

t.setTimeout(110_000);
const { fast, pods, dialer } = await setUpOneService(t);
const { world } = fast;
await fast.writeService('shop/other', 2, { pods: pods.slice(0, 1), nodePort: NODE_PORT + 1 });

async function answeredAt(port: number): Promise<number> {
  const report = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port, count: 10 });
  return report.answered;
}

t.test(
  'the fast path is off with a network plugin that has policies, and the daemon does not start if it is required',
  async (t) => {
    await world.node1.configure(['link add name cali123 type bridge']);
    const { status, stderr } = await fast.runDaemonToExit('--fast-path', 'required');
    t.equal(status, 3);
    t.match(stderr, /Cannot start the required fast path: Calico is in use \("cali123"\)/);
    const daemon = await fast.startDaemon('--fast-path', 'auto');
    t.match(await daemon.waitForLog('fast path is off'), { reason: /Calico/ });
    t.match(await fast.inspect(), { state: 'off', reason: /Calico/, frontends: [] });
    t.equal(await answeredAt(NODE_PORT), 10, 'nftables serves');
    await daemon.stop();
    await world.node1.configure(['link delete dev cali123']);
  },
);

t.test('nftables serves exactly the Services of a pod with a foreign ingress qdisc', async (t) => {
  await world.node1.output('tc', ['qdisc', 'add', 'dev', 'pod-b', 'ingress']);
  await fast.startDaemon('--fast-path', 'auto');
  const view = await fast.waitFor('the other Service is served', ({ frontends }) => frontends.length === 4);
  t.ok(view.frontends.every(({ name }) => name.startsWith('shop/other')));
  t.strictSame(
    view.skipped.map(({ name, cause, reason }) => `${name} ${cause} ${reason.replace(/^\S+ /, '')}`).sort(),
    ['tcp', 'tcp', 'udp', 'udp'].map((port) => `shop/web:${port} pod pod-b: it has qdisc ingress`),
  );
  t.strictSame(view.podDevices, ['pod-a']);
  const explained = async (port: number) => {
    const connection = [world.client.ip, `${NODES.node1.ip}:${port}`];
    return (await fast.execNftlane('explain', ...connection)).stdout;
  };
  t.match(await explained(NODE_PORT), /\nFast path: SKIPPED: 10.1.1.11: pod-b: it has qdisc ingress\n/);
  t.match(
    await explained(NODE_PORT + 1),
    /\nFast path: USED: to pod-a 10.1.1.10:8080\n {2}except for flows in conntrack/,
  );
  for (const port of [NODE_PORT, NODE_PORT + 1]) t.equal(await answeredAt(port), 10);
  await fast.daemon.stop();
  await world.node1.output('tc', ['qdisc', 'delete', 'dev', 'pod-b', 'ingress']);
});

t.test('an uplink with a foreign ingress qdisc is not used', async (t) => {
  await world.node1.output('tc', ['qdisc', 'add', 'dev', 'lan', 'ingress']);
  await fast.cleanup();
  await fast.startDaemon('--fast-path', 'auto');
  const view = await fast.waitFor('the fast path is off', ({ reason }) => reason === 'no usable uplink');
  t.strictSame(view.uplinks, [{ name: 'lan', reason: 'it has qdisc ingress' }]);
  t.strictSame(view.frontends, []);
  t.equal(await answeredAt(NODE_PORT), 10, 'nftables serves');
  const text = await fast.execNftlane('inspect', 'fastpath');
  t.match(
    text.stdout,
    /^# .*\nfast path: off \(mode auto\).*: no usable uplink\nuplinks: not lan \(it has qdisc ingress\)/,
  );
});
