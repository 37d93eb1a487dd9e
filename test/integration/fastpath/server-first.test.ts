// Tests protocols in which the server sends first, or after a long silence of the client (mail, databases, notifications).

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
    const announcer = new LineProcess(pod.spawn(process.execPath, [ANNOUNCER, 'announce', String(TARGET_PORT)]));
    await announcer.readLine();
    return announcer;
  }),
);

/** Starts listeners for every target, and waits until each has the greeting. */
async function startListener(t: Test): Promise<LineProcess> {
  const listener = new LineProcess(fast.world.client.spawn(process.execPath, [ANNOUNCER, 'listen']));
  let open = 0;
  for (const { name, protocol, address, port } of NODE_PORT_TARGETS) {
    open += SOCKETS;
    const report = await sendCommand(listener, { open: SOCKETS, protocol, address, port });
    t.strictSame(report, { sockets: open, errors: [] }, `${name}: the server's greeting arrived`);
  }
  return listener;
}

async function sendCommand(listener: LineProcess, command: ListenerCommand): Promise<ListenerReport> {
  listener.send(JSON.stringify(command));
  return JSON.parse(await listener.readLine());
}

async function announce(word: string): Promise<void> {
  for (const announcer of announcers) announcer.send(word);
  await Promise.all(announcers.map((announcer) => announcer.readLine()));
}

for (const offloads of OFFLOADS) {
  t.test(
    `messages of servers arrive with the fast path, without a daemon, and after it is disabled; offloads ${offloads}`,
    async (t) => {
      await setOffloads(fast.world, offloads);
      await fast.world.node1.output('conntrack', ['-F']);
      await setup.startFastPath();
      const listener = await startListener(t);
      const sockets = NODE_PORT_TARGETS.length * SOCKETS;
      const announceAndReport = async (word: string): Promise<ListenerReport> => {
        await announce(word);
        return sendCommand(listener, { word });
      };
      const created = await fast.countReasons('CREATED', 'REMAPPED');
      t.equal(created, sockets, 'the fast path took every flow');
      for (const { port } of POD_KINDS) t.equal(await fast.conntrackCount(port), 0, 'conntrack has no entry');
      const answered = await fast.countReasons('ANSWERED');
      t.strictSame(await announceAndReport('attached'), { sockets, errors: [] });
      t.ok((await fast.countReasons('ANSWERED')) >= answered + sockets, 'the fast path forwarded the messages');
      await fast.killDaemon();
      t.strictSame(await announceAndReport('alone'), { sockets, errors: [] }, 'without a daemon');
      t.equal(await setup.disableFastPath(), sockets, 'conntrack took over all flows');
      t.equal(await fast.pins(), '');
      t.strictSame(
        await announceAndReport('detached'),
        { sockets, errors: [] },
        'the server sends first after the fast path is disabled',
      );
      listener.kill();
      await fast.daemon.stop();
    },
  );
}
