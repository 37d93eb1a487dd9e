// Tests a flood of SYNs from spoofed addresses: live and new flows are served, and the flow table recovers.

import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import {
  expectAllAnswered,
  startPersistentFlows,
  stopPersistentFlows,
} from '../../support/fastpath/background-traffic.ts';
import { FAMILIES, NODE_PORT_TARGETS, POD_KINDS, setUpTwoServices } from '../../support/fastpath/fast-path-fixture.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';

const FLOOD = fileURLToPath(new URL('../../../dist/bpf/syn-flood', import.meta.url));
/** Per Service and family. */
const SYNS = 10_000;
/** Per family: far fewer than SYNs. */
const MAX_FLOWS = 4096;
const CREATION_REASONS = ['CREATED', 'REMAPPED', 'RECYCLED'];

t.setTimeout(230_000);
const { setup, dialer } = await setUpTwoServices(t);
const { fast } = setup;
const { client, node1 } = fast.world;
// What is half open is given up soon, so that flows of the flood end half a minute after it.
await Promise.all(setup.allPods.map((pod) => pod.sysctl({ 'net.ipv4.tcp_synack_retries': 1 })));

/** Expects that new clients of every target are served. */
async function expectServed(t: Test, message: string): Promise<void> {
  for (const { name, protocol, address, port } of NODE_PORT_TARGETS) {
    const report = await dialer.dial({ protocol, address, port, count: 20, timeoutMs: 10_000 });
    expectAllAnswered(t, report, `${message}, ${name}`);
  }
}

await setup.startFastPath('--fast-path-max-flows', String(MAX_FLOWS));
for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    for (const map of ['flows_v4', 'flows_v6']) await fast.requestLoader(`flush ${map}`);
    await node1.output('conntrack', ['-F']);
    const before = { created: await fast.countReasons(...CREATION_REASONS), full: await fast.countReasons('FULL') };
    const kept = await startPersistentFlows(dialer);
    t.ok(
      (await fast.countReasons(...CREATION_REASONS)) >= before.created + kept.length,
      'the fast path has the persistent flows',
    );
    for (const { port } of POD_KINDS) {
      for (const family of FAMILIES) {
        await client.output(FLOOD, [node1[family], `${port}`, `${SYNS}`], { timeoutMs: 30_000 });
      }
    }
    const created = (await fast.countReasons(...CREATION_REASONS)) - before.created;
    t.ok(created > 2 * (MAX_FLOWS - kept.length), `the fast path took ${created} flows, in both families`);
    const full = (await fast.countReasons('FULL')) - before.full;
    t.ok(full > 2 * SYNS, `${full} packets found the table full`);
    await expectServed(t, 'after the flood');
    await stopPersistentFlows(t, kept, { message: 'through the flood' });
  });
}

t.test('the flow table recovers', async (t) => {
  await expectServed(t, 'while it is full');
  await fast.waitForFewerFlows(MAX_FLOWS / 2, 90_000);
  const before = await fast.countReasons(...CREATION_REASONS);
  await expectServed(t, 'later');
  const created = (await fast.countReasons(...CREATION_REASONS)) - before;
  t.ok(created > (NODE_PORT_TARGETS.length * 20) / 2, `the fast path took ${created} flows again`);
  const { frontends } = await fast.inspect();
  t.notOk(
    frontends.some(({ suspended }) => suspended !== undefined),
    'no Service port was suspended',
  );
});
