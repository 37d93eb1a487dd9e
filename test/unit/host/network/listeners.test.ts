// Tests of src/host/network/listeners.ts.

import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { listeningSockets, parseSockets } from '../../../../src/host/network/listeners.ts';

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2809 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1235 1
   2: 010200C0:C350 020200C0:0050 01 00000000:00000000 00:00000000 00000000     0        0 1236 1
   3: 010200C0:C3
`;
const TCP6 = '   0: 000000FD000000000000000001000000:2810 00000000000000000000000000000000:0000 0A 0';

t.test('parseSockets() reads listening sockets', async (t) => {
  t.strictSame(parseSockets(TCP, { protocol: 'tcp', family: 'ip', state: '0A' }), [
    { protocol: 'tcp', address: '127.0.0.1', port: 10249 },
    { protocol: 'tcp', address: '0.0.0.0', port: 22 },
  ]);
  t.strictSame(parseSockets(TCP6, { protocol: 'tcp', family: 'ip6', state: '0A' }), [
    { protocol: 'tcp', address: 'fd00::1', port: 10256 },
  ]);
});

t.test('listeningSockets() finds a server', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has a port');
  const { port } = address;
  const isServer = ({ port: number }: { port: number }) => number === port;
  t.strictSame((await listeningSockets()).filter(isServer), [{ protocol: 'tcp', address: '127.0.0.1', port }]);
  server.close();
  await once(server, 'close');
  t.strictSame((await listeningSockets()).filter(isServer), []);
});
