// Requests to the servers of the daemon, over real sockets.

import { ConnectionGuard } from '../../../src/host/network/connection-guard.ts';
import { HttpServer } from '../../../src/host/network/http-server.ts';
import { sendBytes } from '../send-bytes.ts';
import type { FuzzTarget } from '../target.ts';

const REQUESTS = [
  'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /metrics?seconds=3&x=%zz HTTP/1.1\r\nHost: [::1]:10249\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
  'POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
];

let server: HttpServer | undefined;

async function open(): Promise<number> {
  if (server === undefined) {
    const respond = ({ path, query }: { path: string; query: URLSearchParams }) => ({
      status: 200,
      headers: { 'Content-Type': 'text/plain' },
      body: `${path.length} ${[...query].length}`,
    });
    const guard = new ConnectionGuard({ remote: { max: 50, maxPerSource: 50 }, local: { max: 50 } });
    server = new HttpServer({ address: '127.0.0.1', port: 0, bothFamilies: true, respond, guard });
    await server.open();
  }
  return server.port ?? 0;
}

export const httpTarget: FuzzTarget = {
  name: 'http',
  weight: 0.5,
  seeds: REQUESTS,
  async run(input) {
    const port = await open();
    await sendBytes({ host: '127.0.0.1', port }, Buffer.from(input, 'latin1'));
    const answer = await sendBytes({ host: '127.0.0.1', port }, Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    if (!answer.startsWith('HTTP/1.1 200'))
      throw new Error(`The next request was answered with ${answer.slice(0, 80)}`);
  },
  async close() {
    server?.close();
    server = undefined;
  },
};
