// A flood of SYNs from addresses that nobody has: who lives is not harmed, who comes is served, and the table gets over it.
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { TARGET_PORT } from '../../support/fastpath/fast-world.ts';
import { endKept, hasAll, keepAll } from '../../support/fastpath/load.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import { createScene, FAMILIES, KINDS, WAYS } from '../../support/fastpath/scene.ts';

const FLOOD = fileURLToPath(new URL('../../../dist/bpf/syn-flood', import.meta.url));
/** For each Service and family. */
const SYNS = 10_000;
/** Flows of each family: far fewer than SYNs. */
const ROOM = 4096;
const BEGUN = ['CREATED', 'REMAPPED', 'RECYCLED'];

t.setTimeout(230_000);
const scene = await createScene();
const { fast } = scene;
t.teardown(() => fast.close());
const { client, node1 } = fast.world;
await Promise.all(scene.allPods.map((pod) => pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
// What is half open is given up soon, so that flows of the flood end half a minute after it.
await Promise.all(scene.allPods.map((pod) => pod.sysctl({ 'net.ipv4.tcp_synack_retries': 1 })));
const dialer = await client.dialer();

/** New clients of every way are answered. */
async function serveAll(t: Test, message: string): Promise<void> {
  for (const { name, protocol, address, port } of WAYS) {
    const report = await dialer.dial({ protocol, address, port, count: 20, timeoutMs: 10_000 });
    hasAll(t, report, `${message}, ${name}`);
  }
}

await scene.begin('--fast-path-max-flows', String(ROOM));
for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    for (const map of ['f4', 'f6']) await fast.ask(`flush ${map}`);
    await node1.output('conntrack', ['-F']);
    const before = { begun: await fast.count(...BEGUN), full: await fast.count('FULL') };
    const kept = await keepAll(dialer);
    t.ok((await fast.count(...BEGUN)) >= before.begun + kept.length, 'those that live are by the fast path');
    for (const { port } of KINDS) {
      for (const family of FAMILIES) {
        await client.output(FLOOD, [node1[family], `${port}`, `${SYNS}`], { timeoutMs: 30_000 });
      }
    }
    const begun = (await fast.count(...BEGUN)) - before.begun;
    t.ok(begun > 2 * (ROOM - kept.length), `${begun} flows began by the fast path, in both families`);
    const full = (await fast.count('FULL')) - before.full;
    t.ok(full > 2 * SYNS, `${full} found no room`);
    await serveAll(t, 'after the flood');
    await endKept(t, kept, { message: 'through the flood' });
  });
}

t.test('the table gets over it', async (t) => {
  await serveAll(t, 'while it is full');
  await fast.untilFewer(ROOM / 2, 90_000);
  const before = await fast.count(...BEGUN);
  await serveAll(t, 'later');
  const begun = (await fast.count(...BEGUN)) - before;
  t.ok(begun > (WAYS.length * 20) / 2, `${begun} flows begin by the fast path again`);
  const { frontends } = await fast.inspect();
  t.notOk(
    frontends.some(({ passes }) => passes !== undefined),
    'no Service was given to nft for it',
  );
});
