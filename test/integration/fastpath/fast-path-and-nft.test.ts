// Tests the fast path and the ruleset side by side, on any kernel.

import t from 'tap';
import { setUpOneService } from '../../support/fastpath/fast-path-fixture.ts';
import { NODE_PORT } from '../../support/fastpath/fast-path-world.ts';
import { NODES } from '../../support/netns/topology.ts';

/** Enough for an emulated machine; only a missing response takes this long. */
const TIMEOUT_MS = 20_000;
const COUNT = 10;

t.setTimeout(300_000);
const { fast, clusterIps, dialer } = await setUpOneService(t);

await fast.startDaemon('--fast-path', 'required');
// A pod's MAC address may be unknown at first.
const view = await fast.waitFor('all pods are located', ({ frontends, skipped }) => {
  return frontends.length + skipped.length === 4 && skipped.every(({ cause }) => cause !== 'pod');
});
const PROTOCOL_FAMILIES = (['tcp', 'udp'] as const).flatMap((protocol) =>
  (['ip', 'ip6'] as const).map((family) => ({ protocol, family })),
);

t.test('the fast path serves the protocols that this kernel supports, and reports the others', async (t) => {
  t.equal(view.state, 'on');
  const served = view.frontends.map(({ destination }) => destination.split('/').at(-1));
  t.strictSame(served.sort(), view.udp === true ? ['tcp', 'tcp', 'udp', 'udp'] : ['tcp', 'tcp']);
  for (const { destination, reason } of view.skipped) t.match(`${destination} ${reason}`, /\/udp .+/);
});

for (const { protocol, family } of PROTOCOL_FAMILIES) {
  const isFast = protocol === 'tcp' || view.udp === true;
  t.test(`${protocol} ${family}: a node port, served by ${isFast ? 'the fast path' : 'nftables'}`, async (t) => {
    const before = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    const report = await dialer.dial({
      protocol,
      address: NODES.node1[family],
      port: NODE_PORT,
      count: COUNT,
      timeoutMs: TIMEOUT_MS,
    });
    t.match(report, { answered: COUNT, clients: [fast.world.client[family]] });
    const created = (await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED')) - before;
    t.equal(created > 0, isFast, `the fast path took ${created} flows`);
  });

  t.test(`${protocol} ${family}: a cluster IP, served by nftables`, async (t) => {
    const before = await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED');
    const report = await dialer.dial({
      protocol,
      address: clusterIps[family],
      port: 80,
      count: COUNT,
      timeoutMs: TIMEOUT_MS,
    });
    t.match(report, { answered: COUNT, clients: [NODES.node1.gateway[family]] });
    t.equal((await fast.countReasons('CREATED', 'REMAPPED', 'RECYCLED')) - before, 0);
    t.ok((await fast.conntrackCount(80)) > 0, 'conntrack has the connections');
  });
}

t.test('cleanup removes everything', async (t) => {
  await fast.daemon.stop();
  t.equal((await fast.cleanup()).status, 0);
  t.equal(await fast.pins(), '');
  t.equal(await fast.world.node1.output('nft', ['list', 'tables']), '');
});
