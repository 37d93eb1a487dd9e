// Tests of src/host/network/http-server.ts.

import { Agent } from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import { type HttpRequest, type HttpResponse, HttpServer } from '../../../../src/host/network/http-server.ts';
import { ListenError } from '../../../../src/host/network/listen.ts';
import { freePort, occupy, outcome, sendRequest } from '../../../support/http-client.ts';

const LIMITS = { maxConnections: 200, keepAliveMs: 65_000 };
const RESPONSE: HttpResponse = { status: 503, headers: { 'X-Given': 'yes' }, body: 'grün' };

async function serverAt(host: string, { ipv6Only = false, respond = (_: HttpRequest) => RESPONSE } = {}) {
  const port = await freePort();
  return { port, server: new HttpServer({ address: host, port, ipv6Only, respond, ...LIMITS }) };
}

t.test('HttpServer responds by path, whatever the method and the query', async (t) => {
  const { port, server } = await serverAt('127.0.0.1', { respond: ({ path }) => ({ ...RESPONSE, body: path }) });
  await server.open();
  t.teardown(() => server.close());
  for (const method of ['GET', 'POST', 'DELETE']) {
    const { status, headers, body } = await sendRequest({ port, method, path: '/a/b?c=d' });
    t.match({ status, headers, body }, { status: 503, headers: { 'x-given': 'yes' }, body: '/a/b' }, method);
  }
  t.match(await sendRequest({ port, method: 'HEAD', path: '/ab' }), { body: '', headers: { 'content-length': '3' } });
});

t.test('HttpServer.close() closes connections and frees the port', async (t) => {
  const { port, server } = await serverAt('127.0.0.1');
  await server.open();
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  t.equal((await sendRequest({ port, agent })).body, 'grün', 'Content-Length counts bytes');
  t.equal((await sendRequest({ port, agent })).status, 503, 'over the same connection');
  server.close();
  t.equal(await outcome({ port }), 'ECONNREFUSED');
  t.not(await outcome({ port, agent }), 503, 'open connections are closed');
  const other = await occupy(port, '127.0.0.1');
  await other.release();
});

t.test('HttpServer can be closed before it listens', async (t) => {
  const { port, server } = await serverAt('127.0.0.1');
  const opening = server.open();
  server.close();
  await opening;
  t.equal(await outcome({ port }), 'ECONNREFUSED');
});

t.test('HttpServer.open() rejects with the reason and can be called again', async (t) => {
  const { port, server } = await serverAt('127.0.0.1');
  const { release } = await occupy(port);
  const message = `Cannot listen at 127.0.0.1:${port}: another process listens there`;
  await t.rejects(server.open(), new ListenError(message));
  await release();
  await server.open();
  t.teardown(() => server.close());
  t.equal(await outcome({ port }), 503);
  const absent = new HttpServer({ address: '2001:db8::1', port, ipv6Only: true, respond: () => RESPONSE, ...LIMITS });
  const reason = 'no interface of this node has this address';
  await t.rejects(absent.open(), new ListenError(`Cannot listen at [2001:db8::1]:${port}: ${reason}`));
});

t.test('HttpServer at [::] accepts IPv4 unless ipv6Only is set', async (t) => {
  const both = await serverAt('::');
  await both.server.open();
  t.teardown(() => both.server.close());
  t.equal(await outcome({ port: both.port, host: '127.0.0.1' }), 503);
  t.equal(await outcome({ port: both.port, host: '::1' }), 503);
  const one = await serverAt('::', { ipv6Only: true });
  await one.server.open();
  t.teardown(() => one.server.close());
  t.equal(await outcome({ port: one.port, host: '127.0.0.1' }), 'ECONNREFUSED');
  t.equal(await outcome({ port: one.port, host: '::1' }), 503);
});

t.test('HttpServer keeps running after an invalid request', async (t) => {
  const { port, server } = await serverAt('127.0.0.1');
  await server.open();
  t.teardown(() => server.close());
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume().end('\0\0 invalid\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  t.equal(await outcome({ port }), 503);
});

t.test('HttpServer.close() aborts requests', async (t) => {
  const { port, server } = await serverAt('127.0.0.1');
  await server.open();
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  const cut = new Promise((resolve) => socket.once('close', () => resolve('cut')));
  await new Promise((resolve) => socket.write('GET / HTTP/1.1\r\n', resolve));
  // A response to a later request shows that the server knows of the first.
  await outcome({ port });
  server.close();
  const late = new Promise((resolve) => setTimeout(resolve, 8_000, 'late').unref());
  t.equal(await Promise.race([cut, late]), 'cut');
});
