// Tests of src/sources/api-server/reflector.ts: listing and watching as it should go.

import t from 'tap';
import { createReflectorFixture, service } from '../../../support/api-server/reflector-fixture.ts';
import { waitUntil } from '../../../support/wait-until.ts';

t.test('Reflector streams the list and the changes over one watch', async (t) => {
  const { server, sink, reflector, startListed, queries, lines } = await createReflectorFixture(t, {
    services: ['b', 'a'],
  });
  await startListed();
  server.put('Service', service('c'));
  server.put('Service', service('a'));
  server.remove('Service', 'shop/b');
  await waitUntil('changes', () => sink.journal.length === 4);
  t.strictSame(sink.journal, [
    'replace Service shop/a,shop/b',
    'put Service shop/c',
    'put Service shop/a',
    'remove Service shop/b',
  ]);
  t.strictSame(queries(), [
    {
      watch: '1',
      allowWatchBookmarks: 'true',
      timeoutSeconds: '440',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
    },
  ]);
  t.match(sink.objects.get('Service shop/a'), { value: { clusterIps: { ip: '10.96.0.10' } }, issues: [] });
  const { connectedAt, lastReceivedAt, ...state } = reflector.state();
  t.type(connectedAt, 'number');
  t.type(lastReceivedAt, 'number');
  const resourceVersion = String(server.version);
  t.strictSame(state, {
    kind: 'Service',
    phase: 'watching',
    resourceVersion,
    lists: 1,
    watches: 1,
    events: 3,
    failures: 0,
  });
  t.match(lines, [{ level: 'info', message: 'list received', details: { kind: 'Service', count: 2 } }]);
});

t.test('Reflector delivers an empty list', async (t) => {
  const { sink, startListed } = await createReflectorFixture(t);
  await startListed();
  t.strictSame(sink.journal, ['replace Service ']);
});

t.test('Reflector reads pages if the list is not streamed', async (t) => {
  const ways = [
    { name: 'refused', watchList: 'refuse', nudge: false },
    { name: 'ignored, a bookmark comes without the mark', watchList: 'ignore', nudge: true },
    { name: 'ignored, and silence', watchList: 'ignore', nudge: false },
  ] as const;
  for (const { name, watchList, nudge } of ways) {
    await t.test(name, async (t) => {
      const services = ['a', 'b', 'c', 'd', 'e'];
      const inactivityMs = name.endsWith('silence') ? 2_000 : 75_000;
      const { server, sink, start, queries, clock } = await createReflectorFixture(t, {
        services,
        pageSize: 2,
        idleTimeoutMs: inactivityMs,
      });
      server.settings.watchList = watchList;
      void start();
      if (nudge) await waitUntil('watch', () => server.watches('Service') === 1);
      if (nudge) server.bookmark();
      await waitUntil('list', () => sink.journal.length === 1);
      t.strictSame(sink.journal, ['replace Service shop/a,shop/b,shop/c,shop/d,shop/e']);
      await waitUntil('watch', () => queries().length === 5);
      const [streaming, first, second, third, watch] = queries();
      t.equal(streaming?.['sendInitialEvents'], 'true');
      t.strictSame(first, { limit: '2', resourceVersion: '0' });
      t.match(second, { limit: '2', continue: /./ });
      t.notOk(second?.['resourceVersion']);
      t.match(third, { continue: /./ });
      t.match(watch, { watch: '1', resourceVersion: '6', allowWatchBookmarks: 'true' });
      t.notOk(clock.sleeps.includes(100), 'no back-off');

      server.injectFault({ action: 'answer', status: 410, on: 'watch' });
      await waitUntil('open watch', () => server.watches('Service') === 1);
      server.endWatches();
      await waitUntil('second list', () => sink.journal.length === 2);
      t.strictSame(queries()[6], { limit: '2' }, 'pages immediately, and not from the cache');
    });
  }
});

t.test('Reflector accepts a list without pages', async (t) => {
  const { server, sink, startListed, queries } = await createReflectorFixture(t, {
    services: ['a', 'b', 'c'],
    pageSize: 1,
  });
  Object.assign(server.settings, { watchList: 'refuse', ignoreLimit: true });
  await startListed();
  t.strictSame(sink.journal, ['replace Service shop/a,shop/b,shop/c']);
  t.strictSame(queries()[1], { limit: '1', resourceVersion: '0' });
});

t.test('Reflector resumes from the last bookmark when the server ends the watch', async (t) => {
  const { server, sink, startListed, queries, clock, reflector } = await createReflectorFixture(t, { factor: 1 });
  await startListed();
  server.put('Node', { metadata: { name: 'other' } });
  server.bookmark();
  await waitUntil('bookmark', () => reflector.state().resourceVersion === '2');
  server.put('Node', { metadata: { name: 'another' } });
  server.endWatches();
  await waitUntil('second watch', () => server.watches('Service') === 1 && queries().length === 2);
  t.equal(queries()[1]?.['resourceVersion'], '3');
  server.put('Service', service('a'));
  await waitUntil('change', () => sink.journal.length === 2);
  t.strictSame(sink.journal, ['replace Service ', 'put Service shop/a']);
  t.notOk(clock.sleeps.includes(100), 'no back-off');
});

t.test('Reflector adds and removes an object when its selectors begin or cease to match', async (t) => {
  const { server, sink, startListed } = await createReflectorFixture(t, { services: ['a', 'b'] });
  server.put('Service', service('headless', { clusterIP: 'None' }));
  await startListed();
  const otherProxy = { 'service.kubernetes.io/service-proxy-name': '' };
  server.put('Service', service('a', { labels: otherProxy }));
  server.put('Service', service('a', { labels: { ...otherProxy, color: 'red' } }));
  server.put('Service', service('a'));
  server.put('Service', service('b', { clusterIP: 'None' }));
  server.put('Service', service('headless'));
  await waitUntil('changes', () => sink.journal.length === 5);
  t.strictSame(sink.journal, [
    'replace Service shop/a,shop/b',
    'remove Service shop/a',
    'put Service shop/a',
    'remove Service shop/b',
    'put Service shop/headless',
  ]);
});

t.test('Reflector delivers invalid and skipped objects with the reason', async (t) => {
  const { server, sink, startListed } = await createReflectorFixture(t);
  server.put('Service', { metadata: { namespace: 'shop', name: 'Not A Name' } });
  server.put('Service', { metadata: { namespace: 'shop', name: 'pending' }, spec: {} });
  await startListed();
  t.match(sink.objects.get('Service '), { key: '', issues: [{ field: 'metadata.name' }] });
  t.match(sink.objects.get('Service shop/pending'), { value: { clusterIps: {}, families: [] }, issues: [] });
  server.put('Service', { metadata: { namespace: 'shop', name: 'Nor This' } });
  server.put('Service', { metadata: { namespace: 'shop', name: 'outside' }, spec: { type: 'ExternalName' } });
  await waitUntil('changes', () => sink.journal.length === 3);
  t.strictSame(sink.journal.slice(1), ['put Service ', 'put Service shop/outside']);
  t.match(sink.objects.get('Service shop/outside'), { skipped: /^it is of type ExternalName/ });
});

t.test('Reflector accepts chunks of any size', async (t) => {
  for (const watchList of ['serve', 'refuse'] as const) {
    const { server, sink, startListed } = await createReflectorFixture(t);
    Object.assign(server.settings, { chunks: 'awkward', watchList });
    const annotations = { note: 'Ein Dienst für Übergrößen – 日本語 🙂 "}]\\ '.repeat(300) };
    const { metadata, ...rest } = service('ünusable');
    const objects = ['a', 'b'].map((name) => ({ ...rest, metadata: { ...metadata, name, annotations } }));
    for (const object of objects) server.put('Service', object);
    await startListed();
    server.put('Service', { ...rest, metadata: { ...metadata, annotations } });
    server.remove('Service', 'shop/a');
    await waitUntil('changes', () => sink.journal.length === 3);
    t.strictSame(sink.journal, ['replace Service shop/a,shop/b', 'put Service ', 'remove Service shop/a']);
    t.match(sink.objects.get('Service '), { issues: [{ value: '"ünusable"' }] });
  }
});

t.test('Reflector accepts lines of three megabytes', async (t) => {
  const { server, sink, startListed } = await createReflectorFixture(t);
  const { metadata, ...rest } = service('huge');
  await startListed();
  server.put('Service', { ...rest, metadata: { ...metadata, annotations: { note: 'é'.repeat(1_500_000) } } });
  server.put('Service', service('small'));
  await waitUntil('changes', () => sink.journal.length === 3);
  t.strictSame(sink.journal.slice(1), ['put Service shop/huge', 'put Service shop/small']);
});

t.test('Reflector.run() rejects with an error of the sink', async (t) => {
  const { server, sink, start } = await createReflectorFixture(t);
  sink.put = () => {
    throw new Error('broken sink');
  };
  const run = start();
  await waitUntil('list', () => sink.journal.length === 1);
  server.put('Service', service('a'));
  await t.rejects(run, { message: 'broken sink' });
});

t.test('Reflector.run() resolves when its signal aborts, in any phase', async (t) => {
  const faults = [
    undefined,
    { action: 'hang' },
    { action: 'answer', status: 500 },
    { action: 'silent', afterLines: 0 },
  ] as const;
  for (const fault of faults) {
    const { server, start, stop, reflector, sink } = await createReflectorFixture(t, { factor: 1 });
    if (fault !== undefined) server.injectFault({ ...fault, times: Number.POSITIVE_INFINITY });
    void start();
    const isThere = () => (fault === undefined ? sink.journal.length === 1 : server.requests.length > 0);
    await waitUntil(`phase ${reflector.state().phase}`, isThere);
    await stop();
    t.pass(JSON.stringify(fault));
  }
});
