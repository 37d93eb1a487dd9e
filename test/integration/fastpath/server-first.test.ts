// Protocols in which the server speaks first, or again after a long silence of the client: mail, databases, notifications.
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Talker } from '../../support/bpf/talker.ts';
import { TARGET_PORT } from '../../support/fastpath/fast-world.ts';
import type { Heard, Order } from '../../support/fastpath/herald-process.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';
import { createScene, KINDS, WAYS } from '../../support/fastpath/scene.ts';

const HERALD = fileURLToPath(new URL('../../support/fastpath/herald-process.ts', import.meta.url));
const SOCKETS = 6;

t.setTimeout(230_000);
const scene = await createScene();
const { fast } = scene;
t.teardown(() => fast.close());
const speakers = await Promise.all(
  scene.allPods.map(async (pod) => {
    const speaker = new Talker(pod.spawn(process.execPath, [HERALD, 'speak', String(TARGET_PORT)]));
    await speaker.line();
    return speaker;
  }),
);

/** Listeners at every way; each has been greeted. */
async function listen(t: Test): Promise<Talker> {
  const listener = new Talker(fast.world.client.spawn(process.execPath, [HERALD, 'hear']));
  let open = 0;
  for (const { name, protocol, address, port } of WAYS) {
    open += SOCKETS;
    const heard = await order(listener, { open: SOCKETS, protocol, address, port });
    t.strictSame(heard, { sockets: open, errors: [] }, `${name}: greeted by the server`);
  }
  return listener;
}

async function order(listener: Talker, what: Order): Promise<Heard> {
  listener.send(JSON.stringify(what));
  return JSON.parse(await listener.line());
}

async function say(word: string): Promise<void> {
  for (const speaker of speakers) speaker.send(word);
  await Promise.all(speakers.map((speaker) => speaker.line()));
}

for (const offloads of OFFLOADS) {
  t.test(`servers are heard by the fast path, without a daemon, and after its end; offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await fast.world.node1.output('conntrack', ['-F']);
    await scene.begin();
    const listener = await listen(t);
    const sockets = WAYS.length * SOCKETS;
    const whenSaid = async (word: string): Promise<Heard> => {
      await say(word);
      return order(listener, { word });
    };
    const created = await fast.count('CREATED', 'REMAPPED');
    t.equal(created, sockets, 'every flow began by the fast path');
    for (const { port } of KINDS) t.equal(await fast.tracked(port), 0, 'conntrack knows nothing');
    const answered = await fast.count('ANSWERED');
    t.strictSame(await whenSaid('attached'), { sockets, errors: [] });
    t.ok((await fast.count('ANSWERED')) >= answered + sockets, 'it came by the fast path');
    await fast.killDaemon();
    t.strictSame(await whenSaid('alone'), { sockets, errors: [] }, 'while there is no daemon');
    t.equal(await scene.switchOff(), sockets, 'all of them are handed over');
    t.equal(await fast.pins(), '');
    t.strictSame(await whenSaid('detached'), { sockets, errors: [] }, 'the server speaks first after the end');
    listener.end();
    await fast.daemon.stop();
  });
}
