// Tests a client port that is reused for the same pod, through the fast path and through nftables.

import t from 'tap';
import { createFastPathWorld, NODE_PORT, TARGET_PORT } from '../../support/fastpath/fast-path-world.ts';
import { NODES } from '../../support/netns/topology.ts';

t.setTimeout(110_000);
const fast = await createFastPathWorld();
t.teardown(() => fast.close());
const { world } = fast;
const pod = world.pod('a');
await pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] });
const STICKY_PORT = NODE_PORT + 1;
const sticky = { spec: { externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP' } };
await fast.writeService('shop/web', 1, { pods: [pod], nodePort: NODE_PORT });
await fast.writeService('shop/sticky', 2, { pods: [pod], nodePort: STICKY_PORT, overrides: sticky });
const dialer = await world.client.dialer();
await fast.startDaemon('--fast-path', 'required');
await fast.waitFor('one of the Services is served', ({ frontends }) => frontends.length === 4);

const SECOND_TARGETS = [
  { name: 'a Service of nftables', address: NODES.node1, port: STICKY_PORT },
  { name: 'the pod itself', address: pod, port: TARGET_PORT },
];

let sourcePort = 50_000;
for (const family of ['ip', 'ip6'] as const) {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const later of SECOND_TARGETS) {
      t.test(`${family} ${protocol}: a Service of the fast path, then ${later.name}, then both again`, async (t) => {
        sourcePort++;
        const dial = (address: string, port: number) =>
          dialer.dial({ protocol, address, port, sourcePort, count: 1, timeoutMs: 5000 });
        const before = await fast.countReasons('CREATED');
        const targets = [{ address: NODES.node1, port: NODE_PORT }, later];
        for (const { address, port } of [...targets, ...targets]) {
          const { answered } = await dial(address[family], port);
          t.equal(answered, 1, `answered at ${port}`);
        }
        t.ok((await fast.countReasons('CREATED')) > before, 'the fast path took the first');
      });
    }
  }
}
