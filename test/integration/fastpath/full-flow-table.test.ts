// A flow table without room: what is new is left to nft, what lives goes on, and room comes back.
import t from 'tap';
import {
  expectAllAnswered,
  startPersistentFlows,
  stopPersistentFlows,
} from '../../support/fastpath/background-traffic.ts';
import { NODE_PORT_TARGETS, POD_KINDS, setUpTwoServices } from '../../support/fastpath/fast-path-fixture.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';

/** Flows of each family: the kept ones, and a few more. */
const MAX_FLOWS = 32;
const EXCESS_FLOWS = 60;

t.setTimeout(230_000);
const { setup, dialer } = await setUpTwoServices(t);
const { fast } = setup;
const { node1 } = fast.world;
// Flows of the crowd by UDP shall end as soon as those by TCP do.
await node1.sysctl({ 'net.netfilter.nf_conntrack_udp_timeout_stream': 5 });

for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await node1.output('conntrack', ['-F']);
    await setup.startFastPath('--fast-path-max-flows', String(MAX_FLOWS));
    t.equal((await fast.inspect()).flowTables.ip.limit, 2 * MAX_FLOWS);
    const { stdout } = await fast.execNftlane('inspect', 'fastpath');
    t.match(stdout, /^flows: \d+ of 32 \(.*\) in IPv4, \d+ of 32 \(.*\) in IPv6$/m);
    const kept = await startPersistentFlows(dialer);
    t.equal(await fast.countReasons('CREATED', 'REMAPPED'), kept.length, 'those that live are by the fast path');
    for (const { port } of POD_KINDS) t.equal(await fast.conntrackCount(port), 0);

    for (const { name, protocol, address, port } of NODE_PORT_TARGETS) {
      const report = await dialer.dial({ protocol, address, port, count: EXCESS_FLOWS, timeoutMs: 10_000 });
      expectAllAnswered(t, report, `${name}, in the crowd`);
    }
    const full = await fast.countReasons('FULL');
    t.ok(full > 0, `${full} packets found no room`);
    for (const { port } of POD_KINDS) t.ok((await fast.conntrackCount(port)) > 0, 'nft has them');
    await stopPersistentFlows(t, kept, { message: 'it went on' });

    await fast.waitForFewerFlows(MAX_FLOWS / 2, 60_000);
    const before = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    const again = await dialer.dial({
      protocol: 'tcp',
      ...endpointOf(NODE_PORT_TARGETS[0]),
      count: 8,
      timeoutMs: 10_000,
    });
    expectAllAnswered(t, again, 'later');
    t.ok((await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED')) > before, 'new ones are taken again');

    if (offloads === 'on') {
      await fast.daemon.stop();
      const daemon = await fast.startDaemon('--fast-path', 'required');
      const warning = await daemon.waitForLog('fast path keeps the size of its flow tables until it is turned off');
      t.match(warning, { room: MAX_FLOWS, maxFlows: 131_072 });
    }
    await setup.disableFastPath();
    await fast.daemon.stop();
  });
}

function endpointOf(way: (typeof NODE_PORT_TARGETS)[number] | undefined): { address: string; port: number } {
  return { address: way?.address ?? '', port: way?.port ?? 0 };
}
