// Tests that no traffic is lost when the fast path is attached or disabled, the daemon is killed, or endpoints are removed.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import {
  expectAllAnswered,
  startNewFlows,
  startPersistentFlows,
  stopNewFlows,
  stopPersistentFlows,
} from '../../support/fastpath/background-traffic.ts';
import { NODE_PORT_TARGETS, POD_KINDS, setUpTwoServices } from '../../support/fastpath/fast-path-fixture.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';

const CREATION_REASONS = ['CREATED', 'REMAPPED', 'RECYCLED'];
const MIN_NEW_FLOWS = 40;
/** The pods that are left when endpoints are removed. */
const FIRST_PODS = { routed: 'a', bridged: 'c' };

t.setTimeout(230_000);
const { setup, dialer } = await setUpTwoServices(t);
const { fast } = setup;

/** Waits until the fast path has taken this many more flows. */
async function waitForNewFlows(): Promise<void> {
  const deadline = performance.now() + 20_000;
  const before = await fast.countReasons(...CREATION_REASONS);
  while ((await fast.countReasons(...CREATION_REASONS)) < before + MIN_NEW_FLOWS) {
    if (performance.now() > deadline) throw new Error(`The fast path has taken fewer than ${MIN_NEW_FLOWS} new flows`);
    await delay(50);
  }
}

/** Sets the number of endpoints of each Service. */
async function setBackendCount(count: number): Promise<void> {
  for (const { kind, service, port, n } of POD_KINDS) {
    await fast.writeService(service, n, { pods: setup.pods[kind].slice(0, count), nodePort: port });
  }
  await fast.waitFor(`${count} backends`, ({ frontends }) =>
    frontends.every(({ backends }) => new Set(backends).size === count),
  );
}

for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await fast.world.node1.output('conntrack', ['-F']);
    await fast.startDaemon('--fast-path', 'off');
    // UDP flows of nftables end before endpoints are removed: a reply that is slow on a busy machine would be lost.
    const all = await startPersistentFlows(dialer);
    const nftFlows = {
      udp: all.filter(({ target }) => target.protocol === 'udp'),
      tcp: all.filter(({ target }) => target.protocol === 'tcp'),
    };

    await t.test('attached', async (t) => {
      const newFlows = await startNewFlows(dialer);
      await fast.daemon.stop();
      await setup.startFastPath();
      await waitForNewFlows();
      t.ok((await stopNewFlows(t, newFlows, 'attached')) > MIN_NEW_FLOWS);
    });

    const kept = await startPersistentFlows(dialer);
    await t.test('without a daemon', async (t) => {
      const newFlows = await startNewFlows(dialer);
      await waitForNewFlows();
      await fast.killDaemon();
      await waitForNewFlows();
      await setup.startFastPath();
      await waitForNewFlows();
      await stopNewFlows(t, newFlows, 'killed');
      await stopPersistentFlows(t, nftFlows.udp, { message: 'flows of nftables' });
    });

    await t.test('endpoints are removed', async (t) => {
      const leaving = await startPersistentFlows(dialer);
      const newFlows = await startNewFlows(dialer);
      await waitForNewFlows();
      await setBackendCount(1);
      const after = await startNewFlows(dialer);
      await waitForNewFlows();
      await stopNewFlows(t, newFlows, 'endpoint removed');
      const reports = await Promise.all(after.map((client) => client.stop()));
      for (const [i, report] of reports.entries()) {
        expectAllAnswered(t, report, 'new flows after the removal');
        t.strictSame(
          Object.keys(report.pods),
          [FIRST_PODS[NODE_PORT_TARGETS[i]?.kind ?? 'routed']],
          'new flows go to the remaining endpoint',
        );
      }
      for (const { target, flow } of leaving) {
        const before = await flow.snapshot();
        const { pods } = await flow.snapshot();
        const report = await flow.stop();
        expectAllAnswered(t, report, `an earlier flow, ${target.name}`);
        const last = Object.keys(pods).filter((pod) => (pods[pod] ?? 0) > (before.pods[pod] ?? 0));
        if (target.protocol === 'udp')
          t.strictSame(last, [FIRST_PODS[target.kind]], `${target.name}: the flow has moved`);
        else t.equal(Object.keys(report.pods).length, 1, `${target.name}: the flow stays with its pod`);
      }
      await setBackendCount(2);
    });

    await t.test('disabled', async (t) => {
      const newFlows = await startNewFlows(dialer);
      await waitForNewFlows();
      t.ok((await setup.disableFastPath()) >= kept.length, 'conntrack takes over the flows');
      t.equal(await fast.pins(), '');
      const later = await startNewFlows(dialer);
      await stopNewFlows(t, later, 'new flows through nftables');
      await stopNewFlows(t, newFlows, 'disabled');
    });
    await stopPersistentFlows(t, kept, { message: 'flows of the fast path', movesUdp: true });
    await stopPersistentFlows(t, nftFlows.tcp, { message: 'flows of nftables' });
    await fast.daemon.stop();
  });
}
