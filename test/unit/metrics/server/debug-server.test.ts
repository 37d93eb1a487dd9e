// Tests of src/metrics/server/debug-server.ts, debug-pages.ts and statusz.ts, over real sockets.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { systemClock } from '../../../../src/host/clock.ts';
import { debugPages } from '../../../../src/metrics/server/debug-pages.ts';
import { DebugServer } from '../../../../src/metrics/server/debug-server.ts';
import { statuszPage } from '../../../../src/metrics/server/statusz.ts';
import { newEvictions } from '../../../support/fakes/evictions.ts';
import { fastClock } from '../../../support/fakes/fast-clock.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { waitUntil } from '../../../support/wait-until.ts';

async function open(t: Test, { print = async () => 'up 1\n', port = 0, clock = systemClock } = {}) {
  const { log, lines } = recordLog();
  const program = {
    name: 'nftlane',
    version: '1.2.3',
    startedAt: 0,
    clock: { now: () => 3_661_000, wallTime: (at: number) => at },
  };
  const metrics = { print, contentType: 'text/plain; version=0.0.4; charset=utf-8' };
  const pages = debugPages({ metrics, program, configuration: () => ({ kind: 'KubeProxyConfiguration' }) });
  const server = new DebugServer({
    address: { address: '127.0.0.1', port },
    pages,
    hardFail: false,
    evictions: newEvictions(),
    log,
    clock,
  });
  const stop = new AbortController();
  const running = server.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    const { status, headers } = response;
    return {
      status,
      type: headers.get('content-type'),
      sniff: headers.get('x-content-type-options'),
      body: await response.text(),
    };
  };
  return { server, get, lines, stop, running };
}

t.test('DebugServer serves the pages that kube-proxy has', async (t) => {
  const { server, get } = await open(t);
  await waitUntil('port', () => server.port !== undefined);
  const plain = { status: 200, type: 'text/plain; charset=utf-8', sniff: 'nosniff' };
  t.strictSame(await get('/proxyMode'), { ...plain, body: 'nftables' });
  t.strictSame(await get('/proxyMode', { method: 'POST' }), { ...plain, body: 'nftables' });
  t.strictSame(await get('/healthz'), { ...plain, body: 'ok' });
  t.strictSame(await get('/healthz/ping'), { ...plain, body: 'ok' });
  t.strictSame((await get('/healthz?verbose')).body, '[+]ping ok\nhealthz check passed\n');
  t.strictSame(
    (await get('/healthz?verbose&exclude=ping&exclude=etcd')).body,
    '[+]ping excluded: ok\nwarn: some health checks cannot be excluded: no matches for "etcd"\nhealthz check passed\n',
  );
  t.match(await get('/metrics'), { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: 'up 1\n' });
  const configz = await get('/configz');
  t.match(configz, { status: 200, type: 'application/json', sniff: 'nosniff' });
  t.strictSame(JSON.parse(configz.body), { 'kubeproxy.config.k8s.io': { kind: 'KubeProxyConfiguration' } });
  for (const path of ['/', '/metrics/', '/toString', '/debug/pprof']) {
    t.match(await get(path), { status: 404, type: plain.type, sniff: 'nosniff' }, path);
  }
});

t.test('statusz is text, or a Statusz if requested', async (t) => {
  const { server, get } = await open(t);
  await waitUntil('port', () => server.port !== undefined);
  const ask = (accept: string) => get('/statusz', { headers: { accept } });
  t.match((await ask('*/*')).body, /^Started: Thu, 01 Jan 1970 00:00:00 GMT\nUp: 1 hr 01 min 01 sec$/m);
  t.match((await ask('*/*')).body, /^Paths: \/configz \/healthz .*\/metrics \/proxyMode \/statusz$/m);
  const expected = {
    kind: 'Statusz',
    apiVersion: 'config.k8s.io/v1beta1',
    uptimeSeconds: 3661,
    binaryVersion: '1.2.3',
  };
  const json = await ask('application/json;v=v1beta1;g=config.k8s.io;as=Statusz');
  t.match(json, { status: 200, type: 'application/json' });
  t.match(JSON.parse(json.body), expected);
  const yaml = await ask('application/yaml;v=v1alpha1;g=config.k8s.io;as=Statusz, application/json');
  t.match(parse(yaml.body), { ...expected, apiVersion: 'config.k8s.io/v1alpha1' });
  t.match(await ask('application/json'), { status: 406 });
});

t.test('DebugServer responds with 500 when a page fails, and keeps serving', async (t) => {
  const print = async () => {
    throw new Error('no numbers today');
  };
  const { server, get, lines } = await open(t, { print });
  await waitUntil('port', () => server.port !== undefined);
  t.match(await get('/metrics'), { status: 500, body: 'no numbers today\n' });
  t.match(lines, [{ level: 'error', details: { path: '/metrics', reason: 'no numbers today' } }]);
  t.match(await get('/healthz'), { status: 200 });
});

t.test('DebugServer waits for a port in use, and logs it once', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const clock = fastClock(1000);
  const { server, lines } = await open(t, { port, clock });
  await waitUntil('attempts', () => clock.sleeps.length >= 3);
  t.strictSame(clock.sleeps.slice(0, 3), [5_000, 5_000, 5_000]);
  const reason = `Cannot listen at 127.0.0.1:${port}: another process listens there`;
  t.match(lines, [{ level: 'error', details: { server: 'metrics', reason, retryInMs: 5000 } }]);
  t.equal(lines.length, 1);
  other.close();
  await waitUntil('port', () => server.port === port);
});

t.test('DebugServer stops when the signal aborts, even if it never listened', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { stop, running, lines } = await open(t, { port: (other.address() as AddressInfo).port });
  await waitUntil('failure', () => lines.length === 1);
  stop.abort();
  await running;
  other.close();
});

t.test('DebugServer rejects with hardFail if it cannot listen', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { log } = recordLog();
  const address = { address: '127.0.0.1', port };
  const server = new DebugServer({
    address,
    pages: {},
    hardFail: true,
    evictions: newEvictions(),
    log,
    clock: systemClock,
  });
  const message = `Cannot listen at 127.0.0.1:${port}: another process listens there`;
  await t.rejects(server.run(new AbortController().signal), { name: 'ListenError', message });
  other.close();
});

t.test('/statusz says how current objects and kernel are', async (t) => {
  const problems = [{ cause: 'unreachable', subject: 'API server', forMs: 60_000 }] as const;
  const freshness = () => ({
    node: 'n1',
    source: { name: 'API server https://192.0.2.1', contactMs: 61_000, resources: [], problems },
    sync: { commits: 1, syncedMs: 3_000, waitingMs: 61_000 },
  });
  const clock = { now: () => 5_000, wallTime: (at: number) => at };
  const page = statuszPage({ name: 'nftlane', version: '1.2.3', startedAt: 0, clock, freshness }, []);
  const text = await page({ query: new URLSearchParams(), headers: {} });
  t.match(text.body, /^Node: n1\nSource: API server https:\S+\nLast contact: 1m ago\nLast sync: 3s ago\n/m);
  t.match(text.body, /^Problem: API server unreachable for 1m\nProblem: a change has been waiting/m);
  const accept = 'application/json;v=v1beta1;g=config.k8s.io;as=Statusz';
  const json = await page({ query: new URLSearchParams(), headers: { accept } });
  t.match(JSON.parse(json.body), { freshness: { node: 'n1', sourceContactSeconds: 61, lastSyncSeconds: 3 } });
});
