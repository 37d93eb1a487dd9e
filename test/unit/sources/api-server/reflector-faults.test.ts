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

t.test('a watch that breaks inside a line resumes immediately from its version', async (t) => {
  const fixture = await createReflectorFixture(t, { factor: 1 });
  const { server, sink, queries, clock, lines } = fixture;
  // Line 0 is the bookmark at the end of the list.
  server.injectFault({ action: 'cut', on: 'watch', afterLines: 2 });
  await listed(fixture);
  for (const name of ['a', 'b', 'c']) server.put('Service', service(name));
  await waitUntil('changes', () => sink.journal.length === 4);
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a', 'put Service shop/b', 'put Service shop/c']);
  t.equal(queries()[1]?.['resourceVersion'], '2');
  t.notOk(clock.sleeps.includes(75), 'no back-off');
  t.match(lines[1], { level: 'warn', message: 'API request failed', details: { kind: 'Service', verb: 'watch' } });
  t.match(lines[2], { level: 'info', message: 'API server connection restored', details: { kind: 'Service' } });
});

t.test('a line that is not JSON ends the stream', async (t) => {
  const fixture = await createReflectorFixture(t);
  const { server, sink, lines } = fixture;
  server.injectFault({ action: 'garbage', on: 'watch', afterLines: 1 });
  await listed(fixture);
  server.put('Service', service('a'));
  await waitUntil('change', () => sink.journal.length === 2);
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a']);
  const details = { kind: 'Service', verb: 'watch', reason: /^not a watch event: "/ };
  t.match(lines[1], { level: 'warn', message: 'API request failed', details });
});

t.test('an incomplete streaming list delivers nothing, and the third one in a row switches to pages', async (t) => {
  const { server, sink, startListed, queries, lines } = await createReflectorFixture(t, { services: ['a', 'b', 'c'] });
  server.injectFault({ action: 'cut', on: 'watch', afterLines: 1, times: 3 });
  await startListed();
  t.strictSame(sink.journal, ['replace Service shop/a,shop/b,shop/c']);
  t.strictSame(
    queries()
      .slice(0, 4)
      .map((query) => query['sendInitialEvents']),
    ['true', 'true', 'true', undefined],
  );
  const switched = lines.filter(({ message }) => message === 'cannot stream the list; using pages');
  t.match(switched, [{ level: 'info', details: { kind: 'Service' } }]);
});

t.test('an expired version causes a relist', async (t) => {
  const ways: readonly { name: string; break: (fixture: ReflectorFixture) => void }[] = [
    { name: 'HTTP status', break: ({ server }) => server.injectFault({ action: 'answer', on: 'watch', status: 410 }) },
    {
      name: 'ERROR event',
      break: ({ server }) => server.injectFault({ action: 'error', on: 'watch', afterLines: 0, status: 410 }),
    },
    { name: 'compaction', break: ({ server }) => server.compact() },
  ];
  for (const { name, break: breakIt } of ways) {
    await t.test(name, async (t) => {
      const fixture = await createReflectorFixture(t, { services: ['a', 'b'], factor: 1 });
      const { server, sink, queries, clock, lines } = fixture;
      server.settings.bookmarkMs = 1_000_000;
      await listed(fixture);
      server.put('Service', service('c'));
      await waitUntil('change', () => sink.journal.length === 2);
      // No open watch may receive the change.
      server.injectFault({ action: 'drop', on: 'watch' });
      server.cutConnections();
      await waitUntil('dropped', () => queries().length === 2);
      server.remove('Service', 'shop/a');
      breakIt(fixture);
      server.put('Service', service('d'));
      if (name === 'ERROR event') server.put('Service', service('e'));
      await waitUntil('new list', () => sink.journal.length === 3);
      t.match(sink.journal[2], /^replace Service shop\/b,shop\/c,shop\/d/);
      t.equal(queries().at(-1)?.['sendInitialEvents'], 'true');
      t.match(
        lines.filter(({ message }) => message === 'resource version expired; relisting'),
        [{ details: { kind: 'Service' } }],
      );
      t.ok(
        clock.sleeps.filter((ms) => ms < 1000).every((ms) => ms === 100),
        'no wait but the one for the cut',
      );
    });
  }
});

t.test('versions that expire again and again cause a backoff', async (t) => {
  const fixture = await createReflectorFixture(t, { factor: 10 });
  const { server, sink, clock } = fixture;
  // The error follows the end of the list, which is line 0; the next watch starts with a list.
  server.injectFault({ action: 'error', on: 'watch', afterLines: 1, status: 410, times: ALWAYS });
  void fixture.start();
  for (let round = 1; round <= 4; round++) {
    await waitUntil('list', () => sink.journal.length === round);
    server.bookmark();
  }
  await waitUntil('patience', () => [100, 150, 300].every((ms) => clock.sleeps.includes(ms)));
  t.equal(clock.sleeps.filter((ms) => ms === 100).length, 1);
});

t.test('a version that the server rejects causes a relist', async (t) => {
  const fixture = await createReflectorFixture(t);
  const { server, sink } = fixture;
  await listed(fixture);
  const message = 'Timeout: Too large resource version: 99, current: 3';
  for (const refusal of [{ status: 504, message }, { status: 400 }, { status: 422 }]) {
    const lists = sink.journal.length;
    server.injectFault({ action: 'answer', on: 'watch', ...refusal });
    server.endWatches();
    await waitUntil('new list', () => sink.journal.length === lists + 1 && server.watches('Service') === 1);
    t.equal(server.requests.at(-1)?.query['sendInitialEvents'], 'true', `${refusal.status}`);
    // After a successful watch, the next rejection is a first one again.
    server.put('Node', { metadata: { name: 'any' } });
    server.bookmark();
    await waitUntil('bookmark', () => fixture.reflector.state().resourceVersion === String(server.version));
  }
});

t.test('Retry-After of status 429 is honored', async (t) => {
  const ways = [
    { header: '7', atLeast: 7_000 },
    { header: new Date(Date.UTC(2026, 0, 1, 0, 1)).toUTCString(), atLeast: 29_000 },
    { header: '99999999', atLeast: 30_000 },
  ];
  for (const { header, atLeast } of ways) {
    const { server, startListed, clock, lines } = await createReflectorFixture(t, { factor: 400 });
    server.injectFault({ action: 'answer', status: 429, headers: { 'retry-after': header }, message: 'too busy' });
    await startListed();
    const waited = clock.sleeps.find((ms) => ms >= atLeast && ms <= 1.1 * 30_000);
    t.ok(waited, `waited ${waited} ms for ${header}`);
    const details = { kind: 'Service', verb: 'watch', status: 429, reason: 'too busy' };
    t.match(lines[0], { level: 'warn', message: 'API request failed', details });
  }
});

t.test('errors of the server cause a backoff that a success resets', async (t) => {
  const fixture = await createReflectorFixture(t, { factor: 1000 });
  const { server, sink, start, clock, lines, reflector } = fixture;
  server.injectFault({ action: 'answer', status: 500, times: 10, message: 'etcd is down' });
  void start();
  await waitUntil('failure', () => reflector.state().lastError === 'etcd is down');
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
    message: 'API request failed',
    details: {
      server: server.url,
      kind: 'Service',
      verb: 'watch',
      status: 500,
      reason: 'etcd is down',
      retryInMs: 100,
    },
  });
  t.equal(lines.filter(({ message }) => message === 'API server connection restored').length, 1);

  server.put('Service', service('a'));
  await waitUntil('change', () => sink.journal.length === 2);
  server.injectFault({ action: 'answer', status: 503 });
  server.cutConnections();
  await waitUntil('second short wait', () => clock.sleeps.filter((ms) => ms === 100).length === 2);
  t.equal(clock.sleeps.filter((ms) => ms === 150).length, 1);
});

t.test('a rejected token is read again', async (t) => {
  const fixture = await createReflectorFixture(t);
  const { server, sink } = fixture;
  await listed(fixture);
  await server.rotateToken('second-token');
  server.cutConnections();
  await waitUntil('new token', () => server.requests.at(-1)?.authorization === 'Bearer second-token');
  server.put('Service', service('a'));
  await waitUntil('change', () => sink.journal.length === 2);
  t.ok(server.requests.some(({ status }) => status === 401));
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a']);
});

t.test('status 403 is logged as an error with verb and kind, and retried', async (t) => {
  const { server, startListed, lines } = await createReflectorFixture(t, { factor: 500 });
  const message = 'services is forbidden: User "x" cannot watch resource "services"';
  server.injectFault({ action: 'answer', status: 403, message, times: 3 });
  await startListed();
  const details = { verb: 'watch', kind: 'Service', status: 403, reason: message };
  t.match(lines[0], { level: 'error', message: 'API request failed', details });
  t.equal(server.requests.length, 4);
});

t.test('a server that does not respond causes a timeout', async (t) => {
  const { server, startListed, lines } = await createReflectorFixture(t, { connectTimeoutMs: 3_000 });
  server.injectFault({ action: 'hang' });
  await startListed();
  const details = { kind: 'Service', verb: 'watch', reason: 'no response for 3 s' };
  t.match(lines[0], { level: 'warn', message: 'API request failed', details });
});

t.test('an idle watch is replaced and resumes from its version', async (t) => {
  const fixture = await createReflectorFixture(t, { idleTimeoutMs: 5_000 });
  const { server, sink, queries, lines } = fixture;
  server.injectFault({ action: 'silent', on: 'watch', afterLines: 2 });
  await listed(fixture);
  server.put('Service', service('a'));
  server.put('Service', service('b'));
  await waitUntil('both', () => sink.journal.length === 3);
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a', 'put Service shop/b']);
  t.equal(queries()[1]?.['resourceVersion'], '2');
  const details = { kind: 'Service', verb: 'watch', reason: 'no object received for 5 s', retryInMs: 0 };
  t.match(lines[1], { message: 'API request failed', details });
});

t.test('bookmarks keep an idle watch alive', async (t) => {
  const fixture = await createReflectorFixture(t, { idleTimeoutMs: 10_000 });
  fixture.server.settings.bookmarkMs = 10;
  await listed(fixture);
  await waitUntil('time', () => fixture.clock.now() % 86_400_000 > 25_000);
  t.equal(fixture.server.requests.length, 1);
});

t.test('a paged list that expires restarts, the third time without pages', async (t) => {
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

t.test('an expired continue token restarts the list', async (t) => {
  const { server, sink, start, queries } = await createReflectorFixture(t, { services: ['a', 'b', 'c'], pageSize: 1 });
  server.settings.watchList = 'refuse';
  const isPaging = () => server.requests.some(({ query }) => query['continue'] !== undefined);
  void start();
  // The tokens expire once, after the first one was used.
  const timer = setInterval(() => {
    if (isPaging()) clearInterval(timer);
    server.expireContinueTokens();
  }, 0);
  await waitUntil('list', () => sink.journal.length === 1);
  t.strictSame(sink.journal, ['replace Service shop/a,shop/b,shop/c']);
  t.ok(queries().filter((query) => query['continue'] === undefined).length >= 3);
});

t.test('a watch that ends immediately causes a backoff', async (t) => {
  const fixture = await createReflectorFixture(t, { factor: 1 });
  const { server, clock, lines } = fixture;
  await listed(fixture);
  server.injectFault({ action: 'end', on: 'watch', afterLines: 0, times: 2 });
  server.cutConnections();
  await waitUntil('new watch', () => server.watches('Service') === 1 && server.requests.length === 2);
  server.bookmark();
  await waitUntil('wait', () => clock.sleeps.includes(100) || clock.sleeps.includes(150));
  t.ok(lines.some(({ level }) => level === 'warn'));
});

t.test('an unreachable server and its recovery are logged once', async (t) => {
  const fixture = await createReflectorFixture(t, { factor: 200 });
  const { server, lines, sink, reflector } = fixture;
  server.injectFault({ action: 'drop', times: 6 });
  await listed(fixture);
  t.equal(reflector.state().phase, 'watching');
  const [first, ...others] = lines;
  t.match(first, { level: 'warn', details: { server: server.url } });
  t.equal(others.filter(({ level }) => level === 'info').length, 2, 'connection restored, list received');
  t.equal(sink.journal.length, 1);
});

t.test('the list of a server with older versions wins, and the watch continues from it', async (t) => {
  const fixture = await createReflectorFixture(t, { services: ['a', 'b', 'c'] });
  const { server, sink, startListed, queries } = fixture;
  await startListed();
  for (let round = 0; round < 20; round++) server.put('Service', service('d'));
  await waitUntil('changes', () => sink.journal.length === 21);
  const before = Number(fixture.reflector.state().resourceVersion);
  server.restoreEmptyBackup();
  server.put('Service', service('a', { clusterIP: '10.96.0.99' }));
  await waitUntil('new list', () => sink.journal.at(-1) === 'replace Service shop/a');
  t.ok(server.version < before, `version ${server.version} after ${before}`);
  t.equal(queries().at(-1)?.['sendInitialEvents'], 'true');
  t.strictSame([...sink.objects.keys()], ['Service shop/a']);
  server.put('Service', service('e'));
  await waitUntil('change', () => sink.objects.has('Service shop/e'));
  t.equal(fixture.reflector.state().resourceVersion, String(server.version));
});

t.test('a Service that is deleted and created again in one burst has its last state', async (t) => {
  const { server, sink, startListed } = await createReflectorFixture(t, { services: ['a'] });
  await startListed();
  for (const clusterIP of ['10.96.0.11', '10.96.0.12', '10.96.0.13']) {
    server.remove('Service', 'shop/a');
    server.put('Service', service('a', { clusterIP }));
  }
  server.put('Service', service('b'));
  await waitUntil('all', () => sink.objects.has('Service shop/b'));
  t.match(sink.objects.get('Service shop/a'), { value: { clusterIps: { ip: '10.96.0.13' } } });
  t.equal(sink.objects.size, 2);
});

t.test('events of a connection that was replaced are not applied', async (t) => {
  const fixture = await createReflectorFixture(t, { services: ['a'], idleTimeoutMs: 5_000 });
  const { server, sink, startListed } = fixture;
  server.injectFault({ action: 'silent', on: 'watch', afterLines: 2 });
  await startListed();
  server.remove('Service', 'shop/a');
  await waitUntil('deletion by the next watch', () => !sink.objects.has('Service shop/a'));
  server.put('Service', service('b'));
  await waitUntil('change', () => sink.objects.has('Service shop/b'));
  t.strictSame(sink.journal.slice(1), ['remove Service shop/a', 'put Service shop/b']);
});
