// A flow table without room: what is new is left to nft, what lives goes on, and room comes back.
import t from 'tap';
import { TARGET_PORT } from '../../support/fastpath/fast-world.ts';
import { endKept, hasAll, keepAll } from '../../support/fastpath/load.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import { createScene, KINDS, WAYS } from '../../support/fastpath/scene.ts';

/** Flows of each family: the kept ones, and a few more. */
const ROOM = 32;
const CROWD = 60;

t.setTimeout(230_000);
const scene = await createScene();
const { fast } = scene;
t.teardown(() => fast.close());
const { client, node1 } = fast.world;
await Promise.all(scene.allPods.map((pod) => pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
const dialer = await client.dialer();
// Flows of the crowd by UDP shall end as soon as those by TCP do.
await node1.sysctl({ 'net.netfilter.nf_conntrack_udp_timeout_stream': 5 });

for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await node1.output('conntrack', ['-F']);
    await scene.begin('--fast-path-max-flows', String(ROOM));
    t.equal((await fast.inspect()).flowTables.ip.room, 2 * ROOM);
    const { stdout } = await fast.nftlane('inspect', 'fastpath', '--run-dir', fast.runDir);
    t.match(stdout, /^flows: \d+ of 32 \(.*\) in IPv4, \d+ of 32 \(.*\) in IPv6$/m);
    const kept = await keepAll(dialer);
    t.equal(await fast.count('CREATED', 'REMAPPED'), kept.length, 'those that live are by the fast path');
    for (const { port } of KINDS) t.equal(await fast.tracked(port), 0);

    for (const { name, protocol, address, port } of WAYS) {
      const report = await dialer.dial({ protocol, address, port, count: CROWD, timeoutMs: 10_000 });
      hasAll(t, report, `${name}, in the crowd`);
    }
    const full = await fast.count('FULL');
    t.ok(full > 0, `${full} packets found no room`);
    for (const { port } of KINDS) t.ok((await fast.tracked(port)) > 0, 'nft has them');
    await endKept(t, kept, { message: 'it went on' });

    await fast.untilFewer(ROOM / 2, 60_000);
    const before = await fast.count('CREATED', 'REMAPPED', 'RECYCLED');
    const again = await dialer.dial({ protocol: 'tcp', ...pick(WAYS[0]), count: 8, timeoutMs: 10_000 });
    hasAll(t, again, 'later');
    t.ok((await fast.count('CREATED', 'REMAPPED', 'RECYCLED')) > before, 'new ones are taken again');

    if (offloads === 'on') {
      await fast.daemon.stop();
      const daemon = await fast.startDaemon('--fast-path', 'required');
      const warning = await daemon.logged('the fast path keeps its size until it is switched off');
      t.match(warning, { room: ROOM, maxFlows: 131_072 });
    }
    await scene.switchOff();
    await fast.daemon.stop();
  });
}

function pick(way: (typeof WAYS)[number] | undefined): { address: string; port: number } {
  return { address: way?.address ?? '', port: way?.port ?? 0 };
}
