// Protocols in which the server speaks first, or again after a long silence of the client: mail, databases, notifications.
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { LineProcess } from '../../support/bpf/line-process.ts';
import type { ListenerCommand, ListenerReport } from '../../support/fastpath/announcer-process.ts';
import { createTwoServiceWorld, NODE_PORT_TARGETS, POD_KINDS } from '../../support/fastpath/fast-path-fixture.ts';
import { TARGET_PORT } from '../../support/fastpath/fast-path-world.ts';
import { OFFLOADS, setOffloads } from '../../support/fastpath/offloads.ts';

const ANNOUNCER = fileURLToPath(new URL('../../support/fastpath/announcer-process.ts', import.meta.url));
const SOCKETS = 6;

t.setTimeout(230_000);
const setup = await createTwoServiceWorld();
const { fast } = setup;
t.teardown(() => fast.close());
const announcers = await Promise.all(
  setup.allPods.map(async (pod) => {
    const speaker = new LineProcess(pod.spawn(process.execPath, [ANNOUNCER, 'announce', String(TARGET_PORT)]));
    await speaker.readLine();
    return speaker;
  }),
);

/** Listeners at every way; each has been greeted. */
async function startListener(t: Test): Promise<LineProcess> {
  const listener = new LineProcess(fast.world.client.spawn(process.execPath, [ANNOUNCER, 'listen']));
  let open = 0;
  for (const { name, protocol, address, port } of NODE_PORT_TARGETS) {
    open += SOCKETS;
    const heard = await sendCommand(listener, { open: SOCKETS, protocol, address, port });
    t.strictSame(heard, { sockets: open, errors: [] }, `${name}: greeted by the server`);
  }
  return listener;
}

async function sendCommand(listener: LineProcess, what: ListenerCommand): Promise<ListenerReport> {
  listener.send(JSON.stringify(what));
  return JSON.parse(await listener.readLine());
}

async function announce(word: string): Promise<void> {
  for (const speaker of announcers) speaker.send(word);
  await Promise.all(announcers.map((speaker) => speaker.readLine()));
}

for (const offloads of OFFLOADS) {
  t.test(`servers are heard by the fast path, without a daemon, and after its end; offloads ${offloads}`, async (t) => {
    await setOffloads(fast.world, offloads);
    await fast.world.node1.output('conntrack', ['-F']);
    await setup.startFastPath();
    const listener = await startListener(t);
    const sockets = NODE_PORT_TARGETS.length * SOCKETS;
    const whenSaid = async (word: string): Promise<ListenerReport> => {
      await announce(word);
      return sendCommand(listener, { word });
    };
    const created = await fast.countReasons('CREATED', 'REMAPPED');
    t.equal(created, sockets, 'every flow began by the fast path');
    for (const { port } of POD_KINDS) t.equal(await fast.conntrackCount(port), 0, 'conntrack knows nothing');
    const answered = await fast.countReasons('ANSWERED');
    t.strictSame(await whenSaid('attached'), { sockets, errors: [] });
    t.ok((await fast.countReasons('ANSWERED')) >= answered + sockets, 'it came by the fast path');
    await fast.killDaemon();
    t.strictSame(await whenSaid('alone'), { sockets, errors: [] }, 'while there is no daemon');
    t.equal(await setup.disableFastPath(), sockets, 'all of them are handed over');
    t.equal(await fast.pins(), '');
    t.strictSame(await whenSaid('detached'), { sockets, errors: [] }, 'the server speaks first after the end');
    listener.kill();
    await fast.daemon.stop();
  });
}
