// Tests a full flow table: nftables serves new flows, live flows continue, and the table empties again.

import t from 'tap';
import {
  expectAllAnswered,
  startPersistentFlows,
  stopPersistentFlows,
} from '../../support/fastpath/background-traffic.ts';
import { NODE_PORT_TARGETS, POD_KINDS, setUpTwoServices } from '../../support/fastpath/fast-path-fixture.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';

/** Per family: the persistent flows and a few more. */
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
    t.match(stdout, /^flows: IPv4 \d+ of 32 \(.*\), IPv6 \d+ of 32 \(.*\)$/m);
    const kept = await startPersistentFlows(dialer);
    t.equal(await fast.countReasons('CREATED', 'REMAPPED'), kept.length, 'the fast path has the persistent flows');
    for (const { port } of POD_KINDS) t.equal(await fast.conntrackCount(port), 0);

    for (const { name, protocol, address, port } of NODE_PORT_TARGETS) {
      const report = await dialer.dial({ protocol, address, port, count: EXCESS_FLOWS, timeoutMs: 10_000 });
      expectAllAnswered(t, report, `${name}, excess flows`);
    }
    const full = await fast.countReasons('FULL');
    t.ok(full > 0, `${full} packets found the table full`);
    for (const { port } of POD_KINDS) t.ok((await fast.conntrackCount(port)) > 0, 'nftables has excess flows');
    await stopPersistentFlows(t, kept, { message: 'while the table was full' });

    await fast.waitForFewerFlows(MAX_FLOWS / 2, 60_000);
    const before = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    const again = await dialer.dial({
      protocol: 'tcp',
      ...addressAndPortOf(NODE_PORT_TARGETS[0]),
      count: 8,
      timeoutMs: 10_000,
    });
    expectAllAnswered(t, again, 'later');
    t.ok((await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED')) > before, 'the fast path takes new flows again');

    if (offloads === 'on') {
      await fast.daemon.stop();
      const daemon = await fast.startDaemon('--fast-path', 'required');
      const warning = await daemon.waitForLog('fast path keeps the size of its flow tables until it is turned off');
      t.match(warning, { maxFlowsInUse: MAX_FLOWS, maxFlows: 131_072 });
    }
    await setup.disableFastPath();
    await fast.daemon.stop();
  });
}

function addressAndPortOf(target: (typeof NODE_PORT_TARGETS)[number] | undefined): { address: string; port: number } {
  return { address: target?.address ?? '', port: target?.port ?? 0 };
}
