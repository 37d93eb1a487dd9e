// Tests traffic through the fast path: endpoints, attached programs, and a restart of the daemon.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createFastPathWorld, NODE_PORT, TARGET_PORT } from '../../support/fastpath/fast-path-world.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { NODES } from '../../support/netns/topology.ts';
import { poll } from '../../support/wait-until.ts';

t.setTimeout(110_000);
const fast = await createFastPathWorld();
t.teardown(() => fast.close());
const { world } = fast;
const bridged = await fast.addBridge();
const routed = [world.pod('a'), world.pod('b')];
const ports = { tcp: [TARGET_PORT], udp: [TARGET_PORT] };
await Promise.all([...routed, ...bridged].map((pod) => pod.respond(ports)));
const SERVICES = [
  { name: 'shop/routed', n: 1, port: NODE_PORT, pods: routed },
  { name: 'shop/bridged', n: 2, port: NODE_PORT + 1, pods: bridged },
];
for (const { name, n, port, pods } of SERVICES) await fast.writeService(name, n, { pods, nodePort: port });
const dialer = await world.client.dialer();

const POD_KINDS = [
  { kind: 'routed', port: NODE_PORT, pods: ['a', 'b'] },
  { kind: 'bridged', port: NODE_PORT + 1, pods: ['c', 'd'] },
] as const;
const NODE_PORT_TARGETS = POD_KINDS.flatMap((kind) =>
  (['tcp', 'udp'] as const).flatMap((protocol) =>
    (['ip', 'ip6'] as const).map((family) => ({ ...kind, protocol, family, address: NODES.node1[family] })),
  ),
);
/** Each of two Services has two node ports (TCP, UDP) in two families. */
const FRONTENDS = 8;

t.test('the fast path serves routed and bridged pods, which see the client address, without conntrack', async (t) => {
  await fast.startDaemon('--fast-path', 'required');
  const view = await fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);
  t.strictSame(view.uplinks, [{ name: 'lan' }]);
  t.strictSame(view.podDevices, ['pod-a', 'pod-b', 'port-c', 'port-d']);
  t.strictSame(view.skipped, []);
  for (const { kind, protocol, family, address, port, pods } of NODE_PORT_TARGETS) {
    const before = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    const report = await dialer.dial({ protocol, address, port, count: 40 });
    const name = `${kind} ${protocol} ${family}`;
    t.equal(report.answered, 40, `${name}: ${JSON.stringify(report)}`);
    t.strictSame(Object.keys(report.pods).sort(), pods, name);
    t.strictSame(report.clients, [world.client[family]], name);
    // A client port may be reused, so that its flow exists already.
    const created = (await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED')) - before;
    t.ok(created > 30, `${name}: the fast path took ${created} of 40`);
    t.equal(await fast.conntrackCount(port), 0, `${name}: conntrack has no entry`);
  }
});

/** Starts a TCP connection to each kind of pod in each family. */
function startPersistentFlows() {
  const tcp = NODE_PORT_TARGETS.filter(({ protocol }) => protocol === 'tcp');
  return Promise.all(tcp.map(({ address, port }) => dialer.keepConnection({ protocol: 'tcp', address, port })));
}

/** Ends them. Expects that one pod answered all requests of each. */
async function stopPersistentFlows(
  t: Test,
  kept: Awaited<ReturnType<typeof startPersistentFlows>>,
  message: string,
): Promise<void> {
  const reports = await Promise.all(kept.map((client) => client.stop()));
  for (const { attempts, answered, pods } of reports) {
    t.equal(answered, attempts, `${message}: ${answered} of ${attempts} answers`);
    t.equal(Object.keys(pods).length, 1, message);
  }
}

t.test('programs keep running when the daemon is killed, and the next daemon takes them over', async (t) => {
  const kept = await startPersistentFlows();
  const before = await fast.waitFor('flows are counted', ({ flows }) => flows.ip >= 2 && flows.ip6 >= 2);
  await fast.killDaemon();
  const created = await fast.countReasons('CREATED');
  const alone = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT, count: 20 });
  t.equal(alone.answered, 20, 'new connections do not need the daemon');
  t.ok((await fast.countReasons('CREATED')) >= created + 20);
  await fast.startDaemon('--fast-path', 'required');
  const after = await fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);
  t.equal(after.slots.used, before.slots.used, 'every backend keeps its slot');
  t.equal(after.slots.draining, 0);
  await stopPersistentFlows(t, kept, 'across the restart');
});

t.test('a start that is held leaves the programs as they are', async (t) => {
  const kept = await startPersistentFlows();
  await fast.daemon.stop();
  const config = join(fast.manifests, '..', 'config.json');
  const document = { apiVersion: 'nftlane.io/v1alpha1', kind: 'NftlaneConfiguration', massLoss: { minServices: 1 } };
  await writeFile(config, JSON.stringify(document));
  for (const { name, n, port } of SERVICES) await fast.writeService(name, n, { pods: [], nodePort: port });
  const started = fast.startDaemon('--fast-path', 'required', '--config', config);
  await poll(() => fast.daemon.log.map(({ msg }) => msg), {
    until: (messages) => messages.includes('source lacks most Services of the kernel; holding the start'),
    failure: (messages) => `the start is not held: ${messages.join(', ')}`,
    timeoutMs: 15_000 * loadFactor(),
  });
  const created = await fast.countReasons('CREATED');
  const { answered } = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT, count: 20 });
  t.equal(answered, 20);
  t.ok((await fast.countReasons('CREATED')) >= created + 20);
  for (const { name, n, port, pods } of SERVICES) await fast.writeService(name, n, { pods, nodePort: port });
  await started;
  await fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);
  await stopPersistentFlows(t, kept, 'through the hold');
});

t.test('a removed endpoint gets no new connections and keeps the live ones', async (t) => {
  const [a] = routed;
  const address = NODES.node1.ip;
  const kept = await Promise.all(
    Array.from({ length: 8 }, () => dialer.keepConnection({ protocol: 'tcp', address, port: NODE_PORT })),
  );
  await fast.writeService('shop/routed', 1, { pods: a ? [a] : [], nodePort: NODE_PORT });
  await fast.waitFor('one backend is served', ({ frontends }) =>
    frontends.filter(({ name }) => name.startsWith('shop/routed')).every(({ backends }) => backends.length === 1),
  );
  for (const protocol of ['tcp', 'udp'] as const) {
    const report = await dialer.dial({ protocol, address, port: NODE_PORT, count: 30 });
    t.strictSame(report.pods, { a: 30 }, `new ${protocol} flows`);
  }
  const reports = await Promise.all(kept.map((client) => client.stop()));
  t.ok(
    reports.some(({ pods }) => 'b' in pods),
    'some connections are to the removed pod',
  );
  for (const { attempts, answered } of reports) t.equal(answered, attempts);
  await fast.waitFor('the slots of the removed pod are free', ({ slots }) => slots.draining === 0);
  await fast.writeService('shop/routed', 1, { pods: routed, nodePort: NODE_PORT });
  await fast.waitFor('both backends are served', ({ frontends }) =>
    frontends.filter(({ name }) => name.startsWith('shop/routed')).every(({ backends }) => backends.length === 2),
  );
});
