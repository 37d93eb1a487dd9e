// Tests of src/sources/api-server/reflector.ts: what it does when the server or the network misbehaves.
import t from 'tap';
import {
  createReflectorFixture,
  type ReflectorFixture,
  service,
} from '../../../support/api-server/reflector-fixture.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const ALWAYS = Number.POSITIVE_INFINITY;

async function listed({ start, sink, server }: ReflectorFixture): Promise<void> {
  void start();
  await waitUntil('list', () => sink.journal.length === 1 && server.watches('Service') === 1);
}

t.test('A connection that is cut inside a line is resumed where it was, and at once', async (t) => {
  const scene = await createReflectorFixture(t, { factor: 1 });
  const { server, sink, queries, clock, lines } = scene;
  // Line 0 is the mark of the end of the list.
  server.injectFault({ action: 'cut', on: 'watch', afterLines: 2 });
  await listed(scene);
  for (const name of ['a', 'b', 'c']) server.put('Service', service(name));
  await waitUntil('changes', () => sink.journal.length === 4);
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a', 'put Service shop/b', 'put Service shop/c']);
  t.equal(queries()[1]?.['resourceVersion'], '2');
  t.notOk(clock.sleeps.includes(75), 'no back-off');
  t.match(lines[1], { level: 'warn', message: /^Cannot watch Service: / });
  t.match(lines[2], { level: 'info', message: 'Connected to the API server again for Service' });
});

t.test('A line that is not JSON breaks the stream', async (t) => {
  const scene = await createReflectorFixture(t);
  const { server, sink, lines } = scene;
  server.injectFault({ action: 'garbage', on: 'watch', afterLines: 1 });
  await listed(scene);
  server.put('Service', service('a'));
  await waitUntil('change', () => sink.journal.length === 2);
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a']);
  t.match(lines[1], { level: 'warn', message: /^Cannot watch Service: not a watch event: "/ });
});

t.test('A streaming list that breaks off delivers nothing, and pages are read after the third time', async (t) => {
  const { server, sink, start, queries, lines } = await createReflectorFixture(t, { services: ['a', 'b', 'c'] });
  server.injectFault({ action: 'cut', on: 'watch', afterLines: 1, times: 3 });
  void start();
  await waitUntil('list', () => sink.journal.length === 1);
  t.strictSame(sink.journal, ['replace Service shop/a,shop/b,shop/c']);
  t.strictSame(
    queries()
      .slice(0, 4)
      .map((query) => query['sendInitialEvents']),
    ['true', 'true', 'true', undefined],
  );
  t.ok(lines.some(({ level, message }) => level === 'info' && message.includes('pages are read from now on')));
});

t.test('A version that is gone means a new list', async (t) => {
  const ways: readonly { name: string; break: (scene: ReflectorFixture) => void }[] = [
    { name: 'HTTP status', break: ({ server }) => server.injectFault({ action: 'answer', on: 'watch', status: 410 }) },
    {
      name: 'ERROR event',
      break: ({ server }) => server.injectFault({ action: 'error', on: 'watch', afterLines: 0, status: 410 }),
    },
    { name: 'compaction', break: ({ server }) => server.compact() },
  ];
  for (const { name, break: breakIt } of ways) {
    await t.test(name, async (t) => {
      const scene = await createReflectorFixture(t, { services: ['a', 'b'], factor: 1 });
      const { server, sink, queries, clock, lines } = scene;
      server.settings.bookmarkMs = 1_000_000;
      await listed(scene);
      server.put('Service', service('c'));
      await waitUntil('change', () => sink.journal.length === 2);
      // Nothing may be open that still sees the change.
      server.injectFault({ action: 'drop', on: 'watch' });
      server.cutConnections();
      await waitUntil('dropped', () => queries().length === 2);
      server.remove('Service', 'shop/a');
      breakIt(scene);
      server.put('Service', service('d'));
      if (name === 'ERROR event') server.put('Service', service('e'));
      await waitUntil('new list', () => sink.journal.length === 3);
      t.match(sink.journal[2], /^replace Service shop\/b,shop\/c,shop\/d/);
      t.equal(queries().at(-1)?.['sendInitialEvents'], 'true');
      t.ok(lines.some(({ message }) => message.startsWith('Listing Service anew: ')));
      t.ok(
        clock.sleeps.filter((ms) => ms < 1000).every((ms) => ms === 100),
        'no wait but the one for the cut',
      );
    });
  }
});

t.test('Versions that are gone again and again are not asked for in a hurry', async (t) => {
  const scene = await createReflectorFixture(t, { factor: 10 });
  const { server, sink, clock } = scene;
  // After the end of the list, which is line 0, comes the error; the next watch starts with a list again.
  server.injectFault({ action: 'error', on: 'watch', afterLines: 1, status: 410, times: ALWAYS });
  void scene.start();
  for (let round = 1; round <= 4; round++) {
    await waitUntil('list', () => sink.journal.length === round);
    server.bookmark();
  }
  await waitUntil('patience', () => [100, 150, 300].every((ms) => clock.sleeps.includes(ms)));
  t.equal(clock.sleeps.filter((ms) => ms === 100).length, 1);
});

t.test('A version that the server turns down altogether means a new list', async (t) => {
  const scene = await createReflectorFixture(t);
  const { server, sink } = scene;
  await listed(scene);
  const message = 'Timeout: Too large resource version: 99, current: 3';
  for (const refusal of [{ status: 504, message }, { status: 400 }, { status: 422 }]) {
    const lists = sink.journal.length;
    server.injectFault({ action: 'answer', on: 'watch', ...refusal });
    server.endWatches();
    await waitUntil('new list', () => sink.journal.length === lists + 1 && server.watches('Service') === 1);
    t.equal(server.requests.at(-1)?.query['sendInitialEvents'], 'true', `${refusal.status}`);
    // A watch that has worked: the next refusal is a first one again.
    server.put('Node', { metadata: { name: 'any' } });
    server.bookmark();
    await waitUntil('bookmark', () => scene.reflector.state().resourceVersion === String(server.version));
  }
});

t.test('Too many requests: the server says when to come back', async (t) => {
  const ways = [
    { header: '7', atLeast: 7_000 },
    { header: new Date(Date.UTC(2026, 0, 1, 0, 1)).toUTCString(), atLeast: 50_000 },
  ];
  for (const { header, atLeast } of ways) {
    const { server, sink, start, clock, lines } = await createReflectorFixture(t, { factor: 400 });
    server.injectFault({ action: 'answer', status: 429, headers: { 'retry-after': header }, message: 'too busy' });
    void start();
    await waitUntil('list', () => sink.journal.length === 1);
    const waited = clock.sleeps.find((ms) => ms >= atLeast && ms <= 1.1 * 60_000);
    t.ok(waited, `waited ${waited} ms for ${header}`);
    t.match(lines[0], { level: 'warn', message: 'Cannot watch Service: too busy', details: { status: 429 } });
  }
});

t.test('Errors of the server are met with ever longer waits, and forgotten when it works again', async (t) => {
  const scene = await createReflectorFixture(t, { factor: 1000 });
  const { server, sink, start, clock, lines, reflector } = scene;
  server.injectFault({ action: 'answer', status: 500, times: 10, message: 'etcd is down' });
  void start();
  await waitUntil('trouble', () => reflector.state().lastError === 'etcd is down');
  await waitUntil('list', () => sink.journal.length === 1);
  const steps = [100, 150, 300, 600, 1200, 2400, 4800, 9600, 19200, 22500];
  t.strictSame(
    clock.sleeps.filter((ms) => steps.includes(ms)),
    steps,
  );
  t.equal(reflector.state().lastError, undefined);
  const warnings = lines.filter(({ level }) => level === 'warn');
  t.ok(warnings.length >= 2);
  t.match(warnings[0], {
    message: 'Cannot watch Service: etcd is down',
    details: { server: server.url, resource: '/api/v1/services', status: 500, retryInMs: 100 },
  });
  t.equal(lines.filter(({ message }) => message.startsWith('Connected to the API server again')).length, 1);

  server.put('Service', service('a'));
  await waitUntil('change', () => sink.journal.length === 2);
  server.injectFault({ action: 'answer', status: 503 });
  server.cutConnections();
  await waitUntil('second short wait', () => clock.sleeps.filter((ms) => ms === 100).length === 2);
  t.equal(clock.sleeps.filter((ms) => ms === 150).length, 1);
});

t.test('A token that is no longer good is read again', async (t) => {
  const scene = await createReflectorFixture(t);
  const { server, sink } = scene;
  await listed(scene);
  await server.rotateToken('second-token');
  server.cutConnections();
  await waitUntil('new token', () => server.requests.at(-1)?.authorization === 'Bearer second-token');
  server.put('Service', service('a'));
  await waitUntil('change', () => sink.journal.length === 2);
  t.ok(server.requests.some(({ status }) => status === 401));
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a']);
});

t.test('What is forbidden is an error that names verb and resource, and is tried again', async (t) => {
  const { server, sink, start, lines } = await createReflectorFixture(t, { factor: 500 });
  const message = 'services is forbidden: User "x" cannot watch resource "services"';
  server.injectFault({ action: 'answer', status: 403, message, times: 3 });
  void start();
  await waitUntil('list', () => sink.journal.length === 1);
  const details = { verb: 'watch', resource: '/api/v1/services', status: 403 };
  t.match(lines[0], { level: 'error', message: `Cannot watch Service: forbidden: ${message}`, details });
  t.equal(server.requests.length, 4);
});

t.test('A server that takes the request and does not answer is given up', async (t) => {
  const { server, sink, start, lines } = await createReflectorFixture(t, { connectTimeoutMs: 3_000 });
  server.injectFault({ action: 'hang' });
  void start();
  await waitUntil('list', () => sink.journal.length === 1);
  t.match(lines[0], { level: 'warn', message: 'Cannot watch Service: no answer for 3 s' });
});

t.test('A watch that goes silent is replaced, from where it was', async (t) => {
  const scene = await createReflectorFixture(t, { idleTimeoutMs: 5_000 });
  const { server, sink, queries, lines } = scene;
  server.injectFault({ action: 'silent', on: 'watch', afterLines: 2 });
  await listed(scene);
  server.put('Service', service('a'));
  server.put('Service', service('b'));
  await waitUntil('both', () => sink.journal.length === 3);
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a', 'put Service shop/b']);
  t.equal(queries()[1]?.['resourceVersion'], '2');
  t.match(lines[1], { message: 'Cannot watch Service: nothing received for 5 s', details: { retryInMs: 0 } });
});

t.test('Bookmarks keep a quiet watch alive', async (t) => {
  const scene = await createReflectorFixture(t, { idleTimeoutMs: 10_000 });
  scene.server.settings.bookmarkMs = 10;
  await listed(scene);
  await waitUntil('time', () => scene.clock.now() % 86_400_000 > 25_000);
  t.equal(scene.server.requests.length, 1);
});

t.test('A list that expires half-way is begun again, the third time in one piece', async (t) => {
  const { server, sink, start, queries } = await createReflectorFixture(t, { services: ['a', 'b', 'c'], pageSize: 2 });
  server.settings.watchList = 'refuse';
  void start();
  const timer = setInterval(() => server.expireContinueTokens(), 0);
  const answer = { action: 'answer', on: 'list', status: 410 } as const;
  server.injectFault(answer);
  server.injectFault(answer);
  await waitUntil('list', () => sink.journal.length === 1);
  clearInterval(timer);
  t.strictSame(sink.journal, ['replace Service shop/a,shop/b,shop/c']);
  t.strictSame(queries().slice(1, 4), [{ limit: '2', resourceVersion: '0' }, { limit: '2' }, {}]);
});

t.test('An expired token of a page begins the list again', async (t) => {
  const { server, sink, start, queries } = await createReflectorFixture(t, { services: ['a', 'b', 'c'], pageSize: 1 });
  server.settings.watchList = 'refuse';
  const isPaging = () => server.requests.some(({ query }) => query['continue'] !== undefined);
  void start();
  // Tokens are lost once, as soon as the first of them was used.
  const timer = setInterval(() => {
    if (isPaging()) clearInterval(timer);
    server.expireContinueTokens();
  }, 0);
  await waitUntil('list', () => sink.journal.length === 1);
  t.strictSame(sink.journal, ['replace Service shop/a,shop/b,shop/c']);
  t.ok(queries().filter((query) => query['continue'] === undefined).length >= 3);
});

t.test('A watch that ends as soon as it is open is not opened in a hurry', async (t) => {
  const scene = await createReflectorFixture(t, { factor: 1 });
  const { server, clock, lines } = scene;
  await listed(scene);
  server.injectFault({ action: 'end', on: 'watch', afterLines: 0, times: 2 });
  server.cutConnections();
  await waitUntil('new watch', () => server.watches('Service') === 1 && server.requests.length === 2);
  server.bookmark();
  await waitUntil('wait', () => clock.sleeps.includes(100) || clock.sleeps.includes(150));
  t.ok(lines.some(({ level }) => level === 'warn'));
});

t.test('A server that is down is told once, and so is its return', async (t) => {
  const scene = await createReflectorFixture(t, { factor: 200 });
  const { server, lines, sink, reflector } = scene;
  server.injectFault({ action: 'drop', times: 6 });
  await listed(scene);
  t.equal(reflector.state().phase, 'watching');
  const [first, ...others] = lines;
  t.match(first, { level: 'warn', details: { server: server.url } });
  t.equal(others.filter(({ level }) => level === 'info').length, 2, 'connected again, list received');
  t.equal(sink.journal.length, 1);
});
