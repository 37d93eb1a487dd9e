// Tests of src/sources/api-server: responses that no API server sends. Each ends in an error that says what arrived, then in a list.

import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { KINDS } from '../../../../src/services/objects/kinds.ts';
import { ApiClient } from '../../../../src/sources/api-server/client/api-client.ts';
import { Reflector } from '../../../../src/sources/api-server/reflector.ts';
import {
  drip,
  event,
  type HostileServer,
  head,
  listEnd,
  type RawRequest,
  serveEmpty,
  startHostileServer,
  writeRepeatedly,
} from '../../../support/api-server/hostile-server.ts';
import { fastClock } from '../../../support/fakes/fast-clock.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { recordSink } from '../../../support/fakes/recording-sink.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const TOKEN = 'secret-token';

/** A reflector of Services against a hostile server. `factor` is the speed of its clock, at which a busy machine would exceed the limits. */
async function watchServices(t: Test, { factor = 50, idleTimeoutMs = 10_000_000 } = {}) {
  const server = await startHostileServer();
  const credentials = {
    server: server.url,
    reload: async () => {},
    requestOptions: async () => ({ headers: { authorization: `Bearer ${TOKEN}` } }),
  };
  const client = new ApiClient(credentials);
  const [sink, { log, lines }, clock] = [recordSink(), recordLog(), fastClock(factor)];
  const limits = { connectTimeoutMs: 10_000_000, idleTimeoutMs };
  const reflector = new Reflector({ client, traits: KINDS.Service, sink, clock, log, limits });
  const controller = new AbortController();
  const start = () => {
    const run = reflector.run(controller.signal);
    t.teardown(async () => {
      controller.abort();
      await run;
      client.close();
      await server.close();
    });
  };
  const failures = () => lines.filter(({ message }) => message === 'API request failed').map(({ details }) => details);
  return { server, sink, clock, lines, failures, start };
}

/** Answers the first request with `serve`, and all later ones with an empty list. */
function first(server: HostileServer, serve: (request: RawRequest) => void): void {
  server.answer = (request) => {
    server.answer = serveEmpty;
    serve(request);
  };
}

const service = (name: string) => ({
  kind: 'Service',
  metadata: { namespace: 'shop', name, resourceVersion: '8' },
  spec: { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ports: [{ port: 80 }] },
});

const RESPONSES: Readonly<Record<string, { serve: (request: RawRequest) => void; reason: RegExp }>> = {
  'a redirect to another host': {
    serve: ({ socket }) => socket.end(head({ status: 302, headers: { location: 'http://127.0.0.2:9/steal' } })),
    reason: /^HTTP status 302: redirects to "http:\/\/127\.0\.0\.2:9", which would receive the credentials$/,
  },
  'a redirect to itself': {
    serve: ({ socket }) => socket.end(head({ status: 307 })),
    reason: /^HTTP status 307: a redirect without a usable location$/,
  },
  'a login page': {
    serve: ({ socket }) => socket.end(`${head({ headers: { 'content-type': 'text/html' } })}<html>login</html>`),
    reason: /^the response is "text\/html", not JSON: is there a proxy before the API server\?$/,
  },
  'a login page that claims to be JSON': {
    serve: ({ socket }) => socket.end(`${head()}<html>login</html>\n`),
    reason: /^not a watch event: "<html>login<\/html>"$/,
  },
  'a compressed body': {
    serve: ({ socket }) => socket.end(Buffer.concat([Buffer.from(head({ headers: GZIP })), gzipSync('x')])),
    reason: /^the response is encoded \("gzip"\)$/,
  },
  'switched protocols': {
    serve: ({ socket }) => socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    reason: /without a response|socket hang up/,
  },
  'endless headers': {
    serve: ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      writeRepeatedly(socket, `x: ${'y'.repeat(1000)}\r\n`);
    },
    reason: /^Parse Error: Header overflow/,
  },
  'no HTTP at all': { serve: ({ socket }) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), reason: /^Parse Error: / },
  'a list instead of events': {
    serve: ({ socket }) => socket.end(`${head()}[]\n`),
    reason: /^not a watch event: "\[\]"$/,
  },
  'an event without a type': {
    serve: ({ socket }) => socket.end(`${head()}{"object":{}}\n`),
    reason: /^not a watch event: /,
  },
  'an event without an object': {
    serve: ({ socket }) => socket.end(`${head()}{"type":"ADDED"}\n`),
    reason: /^not a watch event: /,
  },
  'an endless version': {
    serve: ({ socket }) => socket.end(head() + listEnd('9'.repeat(300))),
    reason: /^a resourceVersion is too long$/,
  },
  'an endless line': {
    serve: ({ socket }) => {
      socket.write(`${head()}{"type":"ADDED","object":{"x":"`);
      writeRepeatedly(socket, 'x'.repeat(65_536));
    },
    reason: /^an object is longer than 4 MiB$/,
  },
  'an endless page of an error': {
    serve: ({ socket }) => {
      socket.write(head({ status: 500, headers: { 'content-type': 'text/html' } }));
      writeRepeatedly(socket, '<html>'.repeat(1000));
    },
    reason: /^<html><html>/,
  },
};
const GZIP = { 'content-encoding': 'gzip' };

for (const [name, { serve, reason }] of Object.entries(RESPONSES)) {
  t.test(`the API server sends ${name}`, async (t) => {
    const { server, sink, failures, start } = await watchServices(t);
    first(server, serve);
    start();
    await waitUntil('list', () => sink.journal.includes('replace Service '));
    t.match(failures()[0], { kind: 'Service', reason });
    t.notMatch(JSON.stringify(failures()), TOKEN);
    t.ok(server.sentBytes() < 40 * 1024 ** 2, `${server.sentBytes()} bytes read`);
  });
}

t.test('every HTTP status ends in an error and a retry', async (t) => {
  const { server, sink, failures, start } = await watchServices(t, { factor: 5000 });
  const statuses = [
    201, 204, 206, 300, 304, 399, 400, 401, 402, 403, 404, 409, 418, 429, 451, 499, 500, 502, 503, 504, 599,
  ];
  const left = [...statuses];
  server.answer = (request) => {
    const status = left.shift();
    if (status === undefined) serveEmpty(request);
    else request.socket.end(head({ status, headers: { 'content-length': '0' } }));
  };
  start();
  await waitUntil('list', () => sink.journal.includes('replace Service '));
  const seen = new Set(failures().map(({ status }) => status));
  t.match([...seen], [201], 'the log limits the rate');
  t.ok(server.requests.length >= statuses.length);
});

t.test('informational responses before the response are skipped', async (t) => {
  const { server, sink, failures, start } = await watchServices(t);
  first(server, (request) => {
    request.socket.write('HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n'.repeat(1000));
    request.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    serveEmpty(request);
  });
  start();
  await waitUntil('list', () => sink.journal.includes('replace Service '));
  t.strictSame(failures(), []);
});

t.test('every code of an ERROR event ends in a retry', async (t) => {
  const { server, sink, start } = await watchServices(t, { factor: 5000 });
  const codes: readonly unknown[] = [200, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 504, 0, -1, 1e9, 'x', null];
  const left = [...codes];
  server.answer = (request) => {
    const { socket, isWatch } = request;
    if (!isWatch) {
      return void socket.end(`${head()}{"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[]}`);
    }
    const code = left.shift();
    if (code === undefined) serveEmpty(request);
    else socket.end(head() + event('ERROR', { kind: 'Status', code, message: 'broken' }));
  };
  start();
  await waitUntil('all codes', () => left.length === 0 && sink.journal.length > 0);
  t.ok(server.requests.length >= codes.length);
});

t.test('a redirect to the same server is followed, a loop is not', async (t) => {
  const { server, sink, failures, start } = await watchServices(t);
  let redirects = 0;
  server.answer = (request) => {
    const { socket, query } = request;
    const hops = Number(query.get('hops') ?? '0');
    if (redirects >= 11 && hops === 2) return serveEmpty(request);
    redirects += 1;
    query.set('hops', String(hops + 1));
    socket.end(head({ status: 302, headers: { location: `/api/v1/services?${query}`, 'content-length': '0' } }));
  };
  start();
  await waitUntil('list', () => sink.journal.includes('replace Service '));
  t.match(failures()[0], { reason: 'more than 10 redirects' });
});

t.test('bytes without an event do not keep a watch alive', async (t) => {
  const { server, sink, failures, start } = await watchServices(t, { factor: 400, idleTimeoutMs: 75_000 });
  first(server, ({ socket }) => {
    socket.write(head() + listEnd('7'));
    drip(socket, '\n', { everyMs: 1 });
  });
  start();
  await waitUntil('second watch', () => server.requests.length > 1);
  t.match(failures()[0], { kind: 'Service', reason: 'no object received for 75 s' });
  t.strictSame(sink.journal, ['replace Service ']);
  t.equal(server.requests[1]?.query.get('resourceVersion'), '7', 'the watch continues');
});

t.test('a list that drips ends after five minutes', async (t) => {
  const { server, sink, failures, start } = await watchServices(t, { factor: 500 });
  first(server, ({ socket }) => {
    socket.write(head());
    drip(socket, `${event('ADDED', { kind: 'Service', metadata: { name: 'a' } }).trim()} \n`, { everyMs: 1 });
  });
  start();
  await waitUntil('list', () => sink.journal.includes('replace Service '));
  t.match(failures()[0], { reason: 'the list is not complete after 300 s' });
});

t.test('bookmarks without end are cut off, and the next watch waits', async (t) => {
  const { server, failures, clock, start } = await watchServices(t, { factor: 100 });
  first(server, ({ socket }) => {
    socket.write(head() + listEnd('7'));
    writeRepeatedly(socket, event('BOOKMARK', { kind: 'Service', metadata: { resourceVersion: '8' } }).repeat(100));
  });
  start();
  await waitUntil('second watch', () => server.requests.length > 1);
  t.match(failures()[0], { reason: 'more than 1000 events without content in 10 s', retryInMs: 10_500 });
  t.ok(clock.sleeps.includes(10_500));
  t.equal(server.requests[1]?.query.get('resourceVersion'), '8', 'the watch continues');
});

t.test('events of other kinds are ignored and logged once', async (t) => {
  const { server, sink, lines, failures, start } = await watchServices(t);
  first(server, ({ socket }) => {
    const pod = { kind: 'Pod', metadata: { namespace: 'shop', name: 'web', resourceVersion: '9' } };
    socket.write(head() + event('ADDED', pod) + listEnd('7'));
    socket.write(event('ADDED', service('web')) + event('DELETED', pod) + event('MODIFIED', pod).repeat(10));
    socket.write(event('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: '1000' } }));
    socket.write(event('SOMETHING', service('web')) + event('DELETED', service('web')));
  });
  start();
  await waitUntil('deletion', () => sink.journal.includes('remove Service shop/web'));
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/web', 'remove Service shop/web']);
  t.match(
    lines.filter(({ message }) => message === 'ignoring an object of another kind'),
    [{ level: 'warn', details: { kind: 'Service', object: 'Pod' } }],
  );
  t.strictSame(failures(), []);
});

t.test('a watch that succeeds and breaks again and again is delayed', async (t) => {
  const { server, clock, start } = await watchServices(t, { factor: 1 });
  server.answer = ({ socket }) => socket.end(head() + listEnd('7') + event('ADDED', service('web')));
  start();
  await waitUntil('attempts', () => server.requests.length >= 5);
  const delays = clock.sleeps.filter((ms) => [100, 150, 300, 600].includes(ms));
  t.strictSame(delays.slice(0, 3), [100, 150, 300], 'the first one is immediate');
});

t.test('pages without end are cut off', async (t) => {
  const pages: Readonly<Record<string, { page: (number: number) => string; reason: RegExp }>> = {
    'the same page': {
      page: () => '{"kind":"ServiceList","metadata":{"resourceVersion":"7","continue":"x"},"items":[{}]}',
      reason: /^the list repeats a page$/,
    },
    'a list of another kind': {
      page: () => '{"kind":"EndpointSliceList","metadata":{"resourceVersion":"7"},"items":[]}',
      reason: /^the response is not a ServiceList$/,
    },
    'too many objects': {
      page: (number) =>
        `{"metadata":{"resourceVersion":"7","continue":"${number}"},"items":[${'{},'.repeat(99_999)}{}]}`,
      reason: /^the list has more than 200000 objects$/,
    },
    'an endless object': {
      page: () => `{"metadata":{"resourceVersion":"7"},"items":[{"x":"${'x'.repeat(17 * 1024 ** 2)}"}]}`,
      reason: /^an object is longer than 4 MiB$/,
    },
  };
  for (const [name, { page, reason }] of Object.entries(pages)) {
    await t.test(name, async (t) => {
      const { server, failures, start } = await watchServices(t);
      let number = 0;
      server.answer = ({ socket, isWatch }) => {
        if (isWatch) socket.end(head({ status: 400 }));
        else socket.end(head() + page(number++));
      };
      start();
      await waitUntil('failure', () => failures().length > 0);
      t.match(failures()[0], { verb: 'list', reason });
    });
  }
});
