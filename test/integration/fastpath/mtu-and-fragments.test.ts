// Tests packets that exceed the MTU of a link on the path, and fragmented datagrams.

import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type EchoClient, startEchoClient, startEchoServer } from '../../support/bpf/echo.ts';
import type { EchoResult } from '../../support/bpf/echo-process.ts';
import {
  createTwoServiceWorld,
  FAMILIES,
  NODE_PORT_TARGETS,
  POD_KINDS,
} from '../../support/fastpath/fast-path-fixture.ts';
import { TARGET_PORT } from '../../support/fastpath/fast-path-world.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import type { Namespace } from '../../support/netns/namespace.ts';

const NARROW_MTU = 1300;
/** Exceeds the MTU of the narrow link, but of no other. */
const LONG_DATAGRAM = 1400;
const STREAM_BYTES = 3_000_000;
const FRAGMENTED_DATAGRAM = 5000;
/** Limit of retries: a datagram that exceeds the MTU is lost. */
const MAX_ATTEMPTS = 10;

t.setTimeout(230_000);
const setup = await createTwoServiceWorld();
const { fast } = setup;
t.teardown(() => fast.close());
const { client, node1 } = fast.world;
const far = await fast.addFarClient(NARROW_MTU);
for (const pod of setup.allPods) await startEchoServer(pod, { address: '::', port: TARGET_PORT });

/** Sends UDP requests until a response of this length arrives. */
async function retryUdp(
  t: Test,
  ask: EchoClient['ask'],
  { padTo = 0, bytes, message }: { padTo?: number; bytes: number; message: string },
): Promise<void> {
  let outcome: EchoResult = {};
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    outcome = await ask({ protocol: 'udp', bytes, padTo, timeoutMs: 1000 });
    if (outcome.bytes === bytes) break;
    await delay(20);
  }
  t.strictSame(outcome, { bytes }, message);
}

/** Removes learned path MTUs, so that the pod has to learn them again. */
async function flushRouteCache(namespaces: readonly Namespace[]): Promise<void> {
  for (const namespace of namespaces)
    for (const version of ['-4', '-6']) await namespace.output('ip', [version, 'route', 'flush', 'cache']);
}

/** Whether a pod has learned the MTU of the narrow link. */
async function hasLearnedMtu(pods: readonly Namespace[], to: string): Promise<boolean> {
  const routes = await Promise.all(pods.map((pod) => pod.output('ip', ['route', 'get', to])));
  return routes.some((route) => route.includes(`mtu ${NARROW_MTU}`));
}

/** Expects packets for each of these reasons during an action. */
async function expectCounted(t: Test, reasons: readonly string[], during: () => Promise<void>): Promise<void> {
  const before = await Promise.all(reasons.map((reason) => fast.countReasons(reason)));
  await during();
  for (const [i, reason] of reasons.entries()) {
    const count = (await fast.countReasons(reason)) - (before[i] ?? 0);
    t.ok(count > 0, `${count} of ${reason}`);
  }
}

for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await setup.startFastPath();
    for (const { kind, port } of POD_KINDS) {
      for (const family of FAMILIES) {
        const name = `${kind} ${family}`;
        const pods = setup.pods[kind];
        const { ask, end } = startEchoClient(far, { address: node1[family], port });
        await flushRouteCache([far, ...pods]);
        await expectCounted(t, ['CREATED', 'FORWARDED', 'ANSWERED', 'ICMP_IN'], async () => {
          const outcome = await ask({ protocol: 'tcp', bytes: STREAM_BYTES });
          t.equal(outcome.bytes, STREAM_BYTES, `${name}: a stream in both directions: ${outcome.error ?? ''}`);
        });
        t.ok(await hasLearnedMtu(pods, far[family]), `${name}: the pod learned the MTU`);
        await flushRouteCache([far, ...pods]);
        t.notOk(await hasLearnedMtu(pods, far[family]), `${name}: the pod's route cache is empty`);
        await expectCounted(t, ['CREATED', 'ICMP_IN', 'FRAGMENT_OUT'], () =>
          retryUdp(t, ask, { bytes: LONG_DATAGRAM, message: `${name}: a long response` }),
        );
        t.ok(await hasLearnedMtu(pods, far[family]), `${name}: the pod learned the MTU`);
        await retryUdp(t, ask, { bytes: 1, padTo: LONG_DATAGRAM, message: `${name}: a long request` });
        end();
      }
    }

    for (const { name, address, port } of NODE_PORT_TARGETS.filter(({ protocol }) => protocol === 'udp')) {
      const { ask, end } = startEchoClient(client, { address, port });
      await expectCounted(t, ['CREATED', 'FRAGMENT_OUT'], async () => {
        t.strictSame(
          await ask({ protocol: 'udp', bytes: FRAGMENTED_DATAGRAM }),
          { bytes: FRAGMENTED_DATAGRAM },
          `${name}: response`,
        );
      });
      await expectCounted(t, ['CREATED', 'FRAGMENT_IN'], async () => {
        const outcome = await ask({ protocol: 'udp', bytes: 1, padTo: FRAGMENTED_DATAGRAM });
        t.strictSame(outcome, { bytes: 1 }, `${name}: request`);
      });
      await expectCounted(t, ['FRAGMENT_IN', 'FRAGMENT_OUT'], async () => {
        const outcome = await ask({ protocol: 'udp', bytes: FRAGMENTED_DATAGRAM, padTo: 2 * FRAGMENTED_DATAGRAM });
        t.strictSame(outcome, { bytes: FRAGMENTED_DATAGRAM }, `${name}: both`);
      });
      end();
    }
    for (const { port } of POD_KINDS) t.equal(await fast.conntrackCount(port), 0, 'conntrack has no entry');
    await fast.daemon.stop();
  });
}
