// Tests of src/health/health.ts and src/health/proxy-health-server.ts, with real sockets.

import t, { type Test } from 'tap';
import type { RulesetClient } from '../../../src/controller/sync.ts';
import { SyncController } from '../../../src/controller/sync-controller.ts';
import type { SyncObserver } from '../../../src/controller/sync-observer.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { Health, type HealthOptions } from '../../../src/health/health.ts';
import { systemClock } from '../../../src/host/clock.ts';
import { node } from '../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put, replaceAll } from '../../support/builders/put-objects.ts';
import { service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import { newEvictions } from '../../support/fakes/evictions.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';
import { freePort, occupy, outcome, sendRequest, waitForOutcome } from '../../support/http-client.ts';
import { waitUntil } from '../../support/wait-until.ts';

const LEAVING = { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] } };

/** A controller with a kernel that can be made to fail, and a manual clock. */
async function start(t: Test, options: Partial<HealthOptions> = {}) {
  const kernel = new FakeNftables();
  let failing = false;
  let now = Date.parse('2026-01-01T00:00:00Z');
  const clock = { ...systemClock, now: () => now };
  const nftClient: RulesetClient = {
    apply: async (lines) => {
      if (failing) throw new Error('no memory');
      kernel.run(lines);
    },
    list: async () => {
      if (failing) throw new Error('no memory');
      return kernel.list();
    },
    listElements: async () => new Map(),
  };
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const { log, lines } = recordLog();
  const port = await freePort();
  const address = { address: '127.0.0.1', port };
  const health = new Health({ engine, address, hardFail: false, evictions: newEvictions(), clock, log, ...options });
  let waiting = false;
  const watcher: SyncObserver = {
    queued: () => {
      waiting = true;
    },
    committed: () => {
      waiting = false;
    },
  };
  const controller = new SyncController({ engine, nftClient, log, clock, observers: [...health.observers, watcher] });
  await health.open();
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    health[Symbol.dispose]();
    await running;
  });
  return {
    controller,
    /** Resolves when all changes are in the kernel. */
    settled: () => waitUntil('a sync', () => !waiting),
    /** Resolves when a sync has failed. */
    failed: () => waitUntil('a failure', () => lines.some(({ message }) => message === 'sync failed')),
    /** The statuses of /healthz and /livez. */
    both: async () => [await outcome({ port, path: '/healthz' }), await outcome({ port, path: '/livez' })],
    onceReady: () => waitForOutcome(200, { port, path: '/healthz' }),
    port,
    setFailing: (value: boolean) => {
      failing = value;
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

t.test('Health is live but not ready before the first sync', async (t) => {
  const { controller, both, settled, onceReady, pass, port } = await start(t);
  t.strictSame(await both(), [503, 200]);
  const { headers, body } = await sendRequest({ port, path: '/healthz?verbose' });
  t.match(headers, { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' });
  const state = { currentTime: '2026-01-01T00:00:00.000Z', nodeEligible: false, healthy: false };
  t.strictSame(JSON.parse(body), { lastUpdated: '0001-01-01T00:00:00Z', ...state });
  replaceAll(controller, []);
  t.equal(await waitForOutcome(503, { port, path: '/healthz' }), 503, 'the Node is unknown');
  put(controller, node('n1'));
  t.equal(await onceReady(), 200);
  await settled();
  pass(10_000_000);
  t.strictSame(await both(), [200, 200], 'no change waits');
});

t.test('Health becomes ready with the first complete ruleset, however long the lists take', async (t) => {
  const { controller, both, onceReady, pass } = await start(t);
  put(controller, node('n1'), service());
  pass(10_000_000);
  t.strictSame(await both(), [503, 200]);
  replaceAll(controller, [node('n1'), service(), slice()]);
  t.equal(await onceReady(), 200);
});

t.test('Health fails /healthz when the node is being deleted', async (t) => {
  const { controller, both, onceReady } = await start(t);
  replaceAll(controller, [node('n1')]);
  t.equal(await onceReady(), 200);
  put(controller, node('n1', LEAVING));
  t.strictSame(await both(), [503, 200]);
  put(controller, node('n1', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }));
  t.strictSame(await both(), [503, 200]);
  put(controller, node('n1', { spec: { unschedulable: true } }));
  t.strictSame(await both(), [200, 200]);
});

t.test('Health fails when syncs fail for a minute, including the first one', async (t) => {
  const { controller, both, settled, onceReady, failed, setFailing, pass } = await start(t);
  setFailing(true);
  replaceAll(controller, [node('n1'), service(), slice()]);
  await failed();
  t.strictSame(await both(), [503, 200]);
  pass(60_000);
  t.strictSame(await both(), [503, 503]);
  setFailing(false);
  t.equal(await onceReady(), 200);
  t.strictSame(await both(), [200, 200]);
  await settled();
  setFailing(true);
  put(controller, slice('shop/web', { endpoints: [] }));
  t.strictSame(await both(), [200, 200], 'not yet');
  pass(60_000);
  t.strictSame(await both(), [503, 503]);
});

t.test('Health serves two paths, and reports its responses', async (t) => {
  const responses: string[] = [];
  const { both, port } = await start(t, { onResponse: (path, status) => void responses.push(`${path} ${status}`) });
  await both();
  for (const path of ['/', '/healthz/', '/healthzz', '/metrics', '/livez/x']) {
    t.equal(await outcome({ port, path }), 404, path);
  }
  t.equal(await outcome({ port, path: '/livez', method: 'POST' }), 200);
  t.strictSame(responses, ['/healthz 503', '/livez 200', '/livez 200']);
});

t.test('Health retries when the port is in use, or fails with hardFail', async (t) => {
  const { log, lines } = recordLog();
  const { port, release } = await occupy(0, '127.0.0.1');
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const given = {
    engine,
    address: { address: '127.0.0.1', port },
    evictions: newEvictions(),
    clock: systemClock,
    log,
    retryMs: 5,
  };
  using hard = new Health({ ...given, hardFail: true });
  const reason = `Cannot listen at 127.0.0.1:${port}: another process listens there`;
  await t.rejects(hard.open(), { name: 'ListenError', message: reason });
  t.strictSame(lines, []);
  using soft = new Health({ ...given, hardFail: false });
  await soft.open();
  const details = { server: 'health', reason, retryInMs: 5 };
  t.strictSame(lines, [{ level: 'error', message: 'HTTP server cannot listen', details }]);
  await release();
  t.equal(await waitForOutcome(200, { port, path: '/livez' }), 200);
  const listening = { server: 'health', address: `127.0.0.1:${port}` };
  t.match(lines.slice(1), [{ message: 'HTTP server listens now', details: listening }]);
  soft[Symbol.dispose]();
  t.equal(await outcome({ port, path: '/livez' }), 'ECONNREFUSED');
});

t.test('Health without a server counts as healthy for Services', async (t) => {
  const port = await freePort();
  const { controller, failed, setFailing, pass } = await start(t, { address: undefined });
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port };
  const local = slice('shop/web', { endpoints: [endpoint('10.1.0.1', { nodeName: 'n1' })] });
  replaceAll(controller, [node('n1', { status: { addresses: [] } }), service('shop/web', { spec }), local]);
  t.equal(await waitForOutcome(200, { port }), 200);
  setFailing(true);
  put(controller, service('shop/new', { spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] } }));
  await failed();
  pass(60_000);
  t.match(await sendRequest({ port }), { status: 200, body: /"serviceProxyHealthy": true/ });
});
