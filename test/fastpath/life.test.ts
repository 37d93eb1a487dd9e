// Real packets through a daemon with the fast path: who answers, what is attached, and what outlives the daemon.
import t from 'tap';
import { NODES } from '../netns/topology.ts';
import { createFastWorld, NODE_PORT, TARGET_PORT } from './fast-world.ts';

t.setTimeout(110_000);
const fast = await createFastWorld();
t.teardown(() => fast.close());
const { world } = fast;
const bridged = await fast.addBridge();
const routed = [world.pod('a'), world.pod('b')];
const ports = { tcp: [TARGET_PORT], udp: [TARGET_PORT] };
await Promise.all([...routed, ...bridged].map((pod) => pod.respond(ports)));
await fast.serve('shop/routed', 1, { pods: routed, nodePort: NODE_PORT });
await fast.serve('shop/bridged', 2, { pods: bridged, nodePort: NODE_PORT + 1 });
const dialer = await world.client.dialer();

const KINDS = [
  { kind: 'routed', port: NODE_PORT, pods: ['a', 'b'] },
  { kind: 'bridged', port: NODE_PORT + 1, pods: ['c', 'd'] },
] as const;
const WAYS = KINDS.flatMap((kind) =>
  (['tcp', 'udp'] as const).flatMap((protocol) =>
    (['ip', 'ip6'] as const).map((family) => ({ ...kind, protocol, family, address: NODES.node1[family] })),
  ),
);
/** Each of two Services has two node ports (TCP, UDP) in two families. */
const FRONTENDS = 8;

t.test('it serves routed and bridged pods, which see the client, past conntrack', async (t) => {
  await fast.startDaemon('--fast-path', 'required');
  const view = await fast.until('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);
  t.strictSame(view.uplinks, [{ name: 'lan' }]);
  t.strictSame(view.pods, ['pod-a', 'pod-b', 'port-c', 'port-d']);
  t.strictSame(view.left, []);
  for (const { kind, protocol, family, address, port, pods } of WAYS) {
    const before = await fast.count('CREATED', 'REMAPPED');
    const report = await dialer.dial({ protocol, address, port, count: 40 });
    const way = `${kind} ${protocol} ${family}`;
    t.equal(report.answered, 40, `${way}: ${JSON.stringify(report)}`);
    t.strictSame(Object.keys(report.pods).sort(), pods, way);
    t.strictSame(report.clients, [world.client[family]], way);
    t.equal((await fast.count('CREATED', 'REMAPPED')) - before, 40, `${way}: all by the fast path`);
    t.equal(await fast.tracked(port), 0, `${way}: conntrack knows nothing`);
  }
});
