// The fast path is attached, loses its daemon, loses endpoints and is switched off while traffic goes on: nothing is lost.
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
/** The pods that stay when endpoints are removed. */
const FIRST_PODS = { routed: 'a', bridged: 'c' };

t.setTimeout(230_000);
const { setup, dialer } = await setUpTwoServices(t);
const { fast } = setup;

/** Waits until so many flows more have begun by the fast path. */
async function waitForNewFlows(): Promise<void> {
  const deadline = performance.now() + 20_000;
  const before = await fast.countReasons(...CREATION_REASONS);
  while ((await fast.countReasons(...CREATION_REASONS)) < before + MIN_NEW_FLOWS) {
    if (performance.now() > deadline) throw new Error(`No ${MIN_NEW_FLOWS} flows more have begun by the fast path`);
    await delay(50);
  }
}

/** Gives each Service only the first of its pods, or all of them. */
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
    // Those by UDP end before endpoints go: nft does not wait for an answer that takes long on a busy machine.
    const all = await startPersistentFlows(dialer);
    const ofNft = {
      udp: all.filter(({ target }) => target.protocol === 'udp'),
      tcp: all.filter(({ target }) => target.protocol === 'tcp'),
    };

    await t.test('attached', async (t) => {
      const held = await startNewFlows(dialer);
      await fast.daemon.stop();
      await setup.startFastPath();
      await waitForNewFlows();
      t.ok((await stopNewFlows(t, held, 'attached')) > MIN_NEW_FLOWS);
    });

    const kept = await startPersistentFlows(dialer);
    await t.test('without a daemon', async (t) => {
      const held = await startNewFlows(dialer);
      await waitForNewFlows();
      await fast.killDaemon();
      await waitForNewFlows();
      await setup.startFastPath();
      await waitForNewFlows();
      await stopNewFlows(t, held, 'killed');
      await stopPersistentFlows(t, ofNft.udp, { message: 'of nft' });
    });

    await t.test('endpoints are removed', async (t) => {
      const leaving = await startPersistentFlows(dialer);
      const held = await startNewFlows(dialer);
      await waitForNewFlows();
      await setBackendCount(1);
      const after = await startNewFlows(dialer);
      await waitForNewFlows();
      await stopNewFlows(t, held, 'endpoint removed');
      const reports = await Promise.all(after.map((one) => one.stop()));
      for (const [i, report] of reports.entries()) {
        expectAllAnswered(t, report, 'new flows after it');
        t.strictSame(
          Object.keys(report.pods),
          [FIRST_PODS[NODE_PORT_TARGETS[i]?.kind ?? 'routed']],
          'to the endpoint that is left',
        );
      }
      for (const { target, flow } of leaving) {
        const before = await flow.snapshot();
        const { pods } = await flow.snapshot();
        const report = await flow.stop();
        expectAllAnswered(t, report, `a flow of before, ${target.name}`);
        const last = Object.keys(pods).filter((pod) => (pods[pod] ?? 0) > (before.pods[pod] ?? 0));
        if (target.protocol === 'udp') t.strictSame(last, [FIRST_PODS[target.kind]], `${target.name}: it has moved`);
        else t.equal(Object.keys(report.pods).length, 1, `${target.name}: it stays with its pod`);
      }
      await setBackendCount(2);
    });

    await t.test('switched off', async (t) => {
      const held = await startNewFlows(dialer);
      await waitForNewFlows();
      t.ok((await setup.disableFastPath()) >= kept.length, 'flows are handed over');
      t.equal(await fast.pins(), '');
      const later = await startNewFlows(dialer);
      await stopNewFlows(t, later, 'by nft again');
      await stopNewFlows(t, held, 'switched off');
    });
    await stopPersistentFlows(t, kept, { message: 'of the fast path', movesUdp: true });
    await stopPersistentFlows(t, ofNft.tcp, { message: 'of nft' });
    await fast.daemon.stop();
  });
}
