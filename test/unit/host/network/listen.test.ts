// Tests of src/host/network/listen.ts.

import { createServer, type ListenOptions } from 'node:net';
import t from 'tap';
import { ListenError, listen } from '../../../../src/host/network/listen.ts';
import { freePort, occupy } from '../../../support/http-client.ts';

t.test('listen() removes its listeners after each failure', async (t) => {
  const place = { address: '127.0.0.1', port: await freePort(), bothFamilies: false };
  const { release } = await occupy(place.port, place.address);
  const server = createServer();
  const listeners = () => ['error', 'listening', 'close'].map((event) => server.listenerCount(event));
  const before = listeners();
  for (let n = 0; n < 3; n++) {
    const message = `Cannot listen at 127.0.0.1:${place.port}: another process listens there`;
    await t.rejects(listen(server, place), new ListenError(message));
    t.strictSame(listeners(), before);
  }
  await release();
  await listen(server, place);
  t.strictSame(listeners(), before);
  server.close();
});

t.test('listen() resolves when the server is closed', async (t) => {
  const server = createServer();
  const listening = listen(server, { address: '127.0.0.1', port: await freePort(), bothFamilies: false });
  server.close();
  await listening;
  t.notOk(server.listening);
});

t.test('listen() serves IPv4 at 0.0.0.0 and at [::] on a machine without IPv6', async (t) => {
  for (const address of ['0.0.0.0', '::']) {
    const hosts: unknown[] = [];
    const server = createServer();
    server.listen = (({ host }: ListenOptions) => {
      hosts.push(host);
      if (host === '0.0.0.0') setImmediate(() => server.emit('listening'));
      else setImmediate(() => server.emit('error', Object.assign(new Error('x'), { code: 'EAFNOSUPPORT' })));
      return server;
    }) as typeof server.listen;
    await listen(server, { address, port: 1, bothFamilies: true });
    t.strictSame(hosts, ['::', '0.0.0.0']);
    await t.rejects(listen(server, { address: 'fd00::1', port: 1, bothFamilies: true }), /this node has no IPv6/);
  }
});
