// Packets that are too long for a link on the way, and datagrams that are too long for any link.
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { Outcome, Question } from '../../support/bpf/echo-process.ts';
import { Talker } from '../../support/bpf/talker.ts';
import { TARGET_PORT } from '../../support/fastpath/fast-world.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import { createScene, FAMILIES, KINDS, WAYS } from '../../support/fastpath/scene.ts';
import type { Namespace } from '../../support/netns/namespace.ts';

const ECHO = fileURLToPath(new URL('../../support/bpf/echo-process.ts', import.meta.url));
const NARROW = 1300;
/** Longer than the narrow link takes, and shorter than all others do. */
const LONG = 1400;
const STREAM = 3_000_000;
const FRAGMENTED = 5000;
/** A datagram that was too long is lost: it is asked for again, this often at most. */
const TRIES = 10;

t.setTimeout(230_000);
const scene = await createScene();
const { fast } = scene;
t.teardown(() => fast.close());
const { client, node1 } = fast.world;
const far = await fast.addFarClient(NARROW);
for (const pod of scene.allPods) {
  await new Talker(pod.spawn(process.execPath, [ECHO, 'serve', '::', String(TARGET_PORT)])).line();
}

type Asker = (question: Question) => Promise<Outcome>;

/** Asks at a way's address and port, from somewhere. */
function askerAt(from: Namespace, address: string, port: number): { ask: Asker; end: () => void } {
  const talker = new Talker(from.spawn(process.execPath, [ECHO, 'ask', address, String(port)]));
  const ask: Asker = async (question) => {
    talker.send(JSON.stringify(question));
    return JSON.parse(await talker.line());
  };
  return { ask, end: () => talker.end() };
}

/** Asks by UDP until an answer of this length comes. */
async function persist(
  t: Test,
  ask: Asker,
  { padTo = 0, bytes, message }: { padTo?: number; bytes: number; message: string },
): Promise<void> {
  let outcome: Outcome = {};
  for (let i = 0; i < TRIES; i++) {
    outcome = await ask({ protocol: 'udp', bytes, padTo, patience: 1000 });
    if (outcome.bytes === bytes) break;
    await delay(20);
  }
  t.strictSame(outcome, { bytes }, message);
}

/** What places have been told of links on the way; the client's connections would tell the pod to begin with. */
async function forget(places: readonly Namespace[]): Promise<void> {
  for (const place of places)
    for (const version of ['-4', '-6']) await place.output('ip', [version, 'route', 'flush', 'cache']);
}

/** Whether a pod has been told of the narrow link on the way to the client. */
async function knowsNarrow(pods: readonly Namespace[], to: string): Promise<boolean> {
  const routes = await Promise.all(pods.map((pod) => pod.output('ip', ['route', 'get', to])));
  return routes.some((route) => route.includes(`mtu ${NARROW}`));
}

/** What is done goes by the fast path: packets are counted for each of these reasons. */
async function taken(t: Test, reasons: readonly string[], during: () => Promise<void>): Promise<void> {
  const before = await Promise.all(reasons.map((reason) => fast.count(reason)));
  await during();
  for (const [i, reason] of reasons.entries()) {
    const count = (await fast.count(reason)) - (before[i] ?? 0);
    t.ok(count > 0, `${count} of ${reason}`);
  }
}

for (const offloads of OFFLOADS) {
  t.test(`offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await scene.begin();
    for (const { kind, port } of KINDS) {
      for (const family of FAMILIES) {
        const name = `${kind} ${family}`;
        const pods = scene.pods[kind];
        const { ask, end } = askerAt(far, node1[family], port);
        await forget([far, ...pods]);
        await taken(t, ['CREATED', 'TAKEN', 'ANSWERED', 'ICMP_IN'], async () => {
          const outcome = await ask({ protocol: 'tcp', bytes: STREAM });
          t.equal(outcome.bytes, STREAM, `${name}: a stream in both directions: ${outcome.error ?? ''}`);
        });
        t.ok(await knowsNarrow(pods, far[family]), `${name}: the pod was told of the narrow link`);
        await forget([far, ...pods]);
        t.notOk(await knowsNarrow(pods, far[family]), `${name}: and has forgotten it`);
        await taken(t, ['CREATED', 'ICMP_IN', 'FRAGMENT_OUT'], () =>
          persist(t, ask, { bytes: LONG, message: `${name}: a long answer` }),
        );
        t.ok(await knowsNarrow(pods, far[family]), `${name}: the pod was told of the narrow link`);
        await persist(t, ask, { bytes: 1, padTo: LONG, message: `${name}: a long request` });
        end();
      }
    }

    for (const { name, address, port } of WAYS.filter(({ protocol }) => protocol === 'udp')) {
      const { ask, end } = askerAt(client, address, port);
      await taken(t, ['CREATED', 'FRAGMENT_OUT'], async () => {
        t.strictSame(await ask({ protocol: 'udp', bytes: FRAGMENTED }), { bytes: FRAGMENTED }, `${name}: answer`);
      });
      await taken(t, ['CREATED', 'FRAGMENT_IN'], async () => {
        const outcome = await ask({ protocol: 'udp', bytes: 1, padTo: FRAGMENTED });
        t.strictSame(outcome, { bytes: 1 }, `${name}: request`);
      });
      await taken(t, ['FRAGMENT_IN', 'FRAGMENT_OUT'], async () => {
        const outcome = await ask({ protocol: 'udp', bytes: FRAGMENTED, padTo: 2 * FRAGMENTED });
        t.strictSame(outcome, { bytes: FRAGMENTED }, `${name}: both`);
      });
      end();
    }
    for (const { port } of KINDS) t.equal(await fast.tracked(port), 0, 'conntrack knows nothing');
    await fast.daemon.stop();
  });
}
