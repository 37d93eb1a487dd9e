// Tests of src/host/network/http-server.ts.

import { Agent } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { ConnectionGuard } from '../../../../src/host/network/connection-guard.ts';
import { type HttpRequest, type HttpResponse, HttpServer } from '../../../../src/host/network/http-server.ts';
import { ListenError } from '../../../../src/host/network/listen.ts';
import { freePort, occupy, outcome, sendRequest } from '../../../support/http-client.ts';
import { loadFactor } from '../../../support/load-factor.ts';

const guard = new ConnectionGuard({ remote: { max: 200, maxPerSource: 50 }, local: { max: 200 } });
const LIMITS = { guard, keepAliveMs: 65_000 };
const RESPONSE: HttpResponse = { status: 503, headers: { 'X-Given': 'yes' }, body: 'grün' };

async function serverAt(
  host: string,
  { bothFamilies = true, respond = (_: HttpRequest): HttpResponse | Promise<HttpResponse> => RESPONSE } = {},
) {
  const port = await freePort();
  return { port, server: new HttpServer({ address: host, port, bothFamilies, respond, ...LIMITS }) };
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
  const absent = new HttpServer({
    address: '2001:db8::1',
    port,
    bothFamilies: false,
    respond: () => RESPONSE,
    ...LIMITS,
  });
  const reason = 'no interface of this node has this address';
  await t.rejects(absent.open(), new ListenError(`Cannot listen at [2001:db8::1]:${port}: ${reason}`));
});

t.test('HttpServer at 0.0.0.0 and [::] serves both families, or one of them without bothFamilies', async (t) => {
  for (const [host, bothFamilies, ip, ip6] of [
    ['0.0.0.0', true, 503, 503],
    ['::', true, 503, 503],
    ['0.0.0.0', false, 503, 'ECONNREFUSED'],
    ['::', false, 'ECONNREFUSED', 503],
  ] as const) {
    const { port, server } = await serverAt(host, { bothFamilies });
    await server.open();
    const outcomes = [await outcome({ port, host: '127.0.0.1' }), await outcome({ port, host: '::1' })];
    t.strictSame(outcomes, [ip, ip6], `${host} ${bothFamilies}`);
    server.close();
  }
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

/** Sends this text over one connection and returns what comes back until it is closed, or for half a second. */
async function converse(port: number, text: string): Promise<{ received: string; isClosed: boolean }> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('error', () => {});
  socket.setEncoding('utf8').on('data', (data: string) => {
    received += data;
  });
  socket.write(text);
  const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(true)));
  const isClosed = await Promise.race([closed, delay(500, false, { ref: false })]);
  socket.destroy();
  return { received, isClosed };
}

const GET = 'GET / HTTP/1.1\r\nHost: node\r\n\r\n';
const statuses = (text: string) => [...text.matchAll(/^HTTP\/1.1 (\d+)/gm)].map(([, status]) => Number(status));

t.test('HttpServer answers one request of a connection at a time, and closes it after an early one', async (t) => {
  let responses = 0;
  const respond = async () => {
    responses += 1;
    await delay(20);
    return RESPONSE;
  };
  const { port, server } = await serverAt('127.0.0.1', { respond });
  await server.open();
  t.teardown(() => server.close());
  const { received, isClosed } = await converse(port, GET.repeat(1000));
  t.strictSame([statuses(received), isClosed, responses], [[503], true, 1]);
});

t.test('HttpServer reads no long body and no large header', async (t) => {
  const { port, server } = await serverAt('127.0.0.1');
  await server.open();
  t.teardown(() => server.close());
  const post = (header: string) => `POST / HTTP/1.1\r\nHost: node\r\n${header}\r\n\r\n`;
  const cases = [
    { text: `${post('Content-Length: 3')}abc`, expected: [503], closes: false },
    { text: post('Content-Length: 1000000000'), expected: [503], closes: true },
    { text: `${post('Transfer-Encoding: chunked')}4\r\nabcd\r\n`, expected: [503], closes: true },
    { text: post('Expect: 100-continue\r\nContent-Length: 1000000'), expected: [503], closes: true },
    { text: post(`X: ${'a'.repeat(9000)}`), expected: [431], closes: true },
  ];
  for (const { text, expected, closes } of cases) {
    const { received, isClosed } = await converse(port, text);
    t.strictSame([statuses(received), isClosed], [expected, closes], text.slice(0, 80));
  }
});

t.test('HttpServer cuts a client that sends its header slowly', async (t) => {
  const { port, server } = await serverAt('127.0.0.1');
  await server.open();
  t.teardown(() => server.close());
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  const timer = setInterval(() => socket.write('X: y\r\n'), 200);
  socket.write('GET / HTTP/1.1\r\n');
  t.teardown(() => clearInterval(timer));
  const closed = new Promise((resolve) => socket.once('close', () => resolve('cut')));
  t.equal(await Promise.race([closed, delay(15_000 * loadFactor(), 'late', { ref: false })]), 'cut');
});
