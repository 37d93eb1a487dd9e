// The fast path is attached, loses its daemon, loses endpoints and is switched off while traffic goes on: nothing is lost.
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { TARGET_PORT } from '../../support/fastpath/fast-world.ts';
import { endHeld, endKept, hasAll, holdAll, keepAll } from '../../support/fastpath/load.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import { createScene, KINDS, WAYS } from '../../support/fastpath/scene.ts';

const BEGUN = ['CREATED', 'REMAPPED', 'RECYCLED'];
const SOME = 40;
/** The pods that stay when endpoints are removed. */
const FIRST_PODS = { routed: 'a', bridged: 'c' };

t.setTimeout(230_000);
const scene = await createScene();
const { fast } = scene;
t.teardown(() => fast.close());
await Promise.all(scene.allPods.map((pod) => pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
const dialer = await fast.world.client.dialer();

/** Waits until so many flows more have begun by the fast path. */
async function untilMore(): Promise<void> {
  const deadline = performance.now() + 20_000;
  const before = await fast.count(...BEGUN);
  while ((await fast.count(...BEGUN)) < before + SOME) {
    if (performance.now() > deadline) throw new Error(`No ${SOME} flows more have begun by the fast path`);
    await delay(50);
  }
}

/** Gives each Service only the first of its pods, or all of them. */
async function leave(count: number): Promise<void> {
  for (const { kind, service, port, n } of KINDS) {
    await fast.serve(service, n, { pods: scene.pods[kind].slice(0, count), nodePort: port });
  }
  await fast.until(`${count} backends`, ({ frontends }) =>
    frontends.every(({ backends }) => new Set(backends).size === count),
  );
}

for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await fast.world.node1.output('conntrack', ['-F']);
    await fast.startDaemon('--fast-path', 'off');
    // Those by UDP end before endpoints go: nft does not wait for an answer that takes long on a busy machine.
    const all = await keepAll(dialer);
    const ofNft = {
      udp: all.filter(({ way }) => way.protocol === 'udp'),
      tcp: all.filter(({ way }) => way.protocol === 'tcp'),
    };

    await t.test('attached', async (t) => {
      const held = await holdAll(dialer);
      await fast.daemon.stop();
      await scene.begin();
      await untilMore();
      t.ok((await endHeld(t, held, 'attached')) > SOME);
    });

    const kept = await keepAll(dialer);
    await t.test('without a daemon', async (t) => {
      const held = await holdAll(dialer);
      await untilMore();
      await fast.killDaemon();
      await untilMore();
      await scene.begin();
      await untilMore();
      await endHeld(t, held, 'killed');
      await endKept(t, ofNft.udp, { message: 'of nft' });
    });

    await t.test('endpoints are removed', async (t) => {
      const leaving = await keepAll(dialer);
      const held = await holdAll(dialer);
      await untilMore();
      await leave(1);
      const after = await holdAll(dialer);
      await untilMore();
      await endHeld(t, held, 'endpoint removed');
      const reports = await Promise.all(after.map((one) => one.stop()));
      for (const [i, report] of reports.entries()) {
        hasAll(t, report, 'new flows after it');
        t.strictSame(Object.keys(report.pods), [FIRST_PODS[WAYS[i]?.kind ?? 'routed']], 'to the endpoint that is left');
      }
      for (const { way, flow } of leaving) {
        const before = await flow.look();
        const { pods } = await flow.look();
        const report = await flow.stop();
        hasAll(t, report, `a flow of before, ${way.name}`);
        const last = Object.keys(pods).filter((pod) => (pods[pod] ?? 0) > (before.pods[pod] ?? 0));
        if (way.protocol === 'udp') t.strictSame(last, [FIRST_PODS[way.kind]], `${way.name}: it has moved`);
        else t.equal(Object.keys(report.pods).length, 1, `${way.name}: it stays with its pod`);
      }
      await leave(2);
    });

    await t.test('switched off', async (t) => {
      const held = await holdAll(dialer);
      await untilMore();
      t.ok((await scene.switchOff()) >= kept.length, 'flows are handed over');
      t.equal(await fast.pins(), '');
      const later = await holdAll(dialer);
      await endHeld(t, later, 'by nft again');
      await endHeld(t, held, 'switched off');
    });
    await endKept(t, kept, { message: 'of the fast path', movesUdp: true });
    await endKept(t, ofNft.tcp, { message: 'of nft' });
    await fast.daemon.stop();
  });
}
