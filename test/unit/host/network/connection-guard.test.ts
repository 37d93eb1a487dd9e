// Tests of src/host/network/connection-guard.ts, with real connections.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ConnectionGuard } from '../../../../src/host/network/connection-guard.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** A server that counts clients at 127.0.0.1 as this node, and those at other loopback addresses as others. */
async function start(t: Test) {
  const evicted: string[] = [];
  const guard = new ConnectionGuard({
    remote: { max: 3, maxPerSource: 2 },
    local: { max: 2 },
    onEvict: (source) => evicted.push(source),
    localClients: { has: (remote) => remote === '::ffff:127.0.0.1' },
  });
  let [accepted, ended] = [0, 0];
  const server = createServer((socket) => {
    guard.admit(socket.on('error', () => {}));
    accepted += 1;
    socket.once('close', () => {
      ended += 1;
    });
  }).listen(0, '::');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const port = (server.address() as { port: number }).port;
  const open = async (localAddress: string): Promise<Socket> => {
    const before = accepted;
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {}).resume();
    t.teardown(() => socket.destroy());
    await waitUntil('connection', () => accepted > before);
    return socket;
  };
  return { evicted, open, ends: () => ended };
}

t.test('ConnectionGuard counts this node and other hosts apart', async (t) => {
  const { open, evicted } = await start(t);
  const probe = await open('127.0.0.1');
  for (let count = 0; count < 8; count++) await open(`127.0.1.${1 + (count % 4)}`);
  t.equal(evicted.length, 5, 'other hosts have three connections');
  t.notOk(probe.closed);
  await open('127.0.0.1');
  t.notOk(probe.closed);
  await open('127.0.0.1');
  await waitUntil('end of the oldest', () => probe.closed);
  t.equal(evicted.at(-1), '127.0.0.1');
});

t.test('ConnectionGuard makes room when a client leaves', async (t) => {
  const { open, evicted, ends } = await start(t);
  const first = await open('127.0.1.1');
  await open('127.0.1.1');
  const done = once(first, 'close');
  first.destroy();
  await done;
  // The server sees the end a moment later.
  await waitUntil('end of the first', () => ends() === 1);
  await open('127.0.1.1');
  t.strictSame(evicted, []);
});
