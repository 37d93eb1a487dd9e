// What the daemon does besides syncing: it notices foreign changes, and an initial load that cannot be prepared.
import t from 'tap';
import type { Nftables } from '../../../src/controller/sync.ts';
import { SyncController } from '../../../src/controller/sync-controller.ts';
import type { SyncObserver } from '../../../src/controller/sync-observer.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { ServiceChange } from '../../../src/engine/service-change.ts';
import { type Clock, systemClock } from '../../../src/host/clock.ts';
import { silentLog } from '../../../src/host/log.ts';
import { DEFAULT_OPTIONS } from '../../../src/nftables/compile/node-view.ts';
import { readEndpointSlice } from '../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { put, remove, replaceAll } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';

function world(tables: Partial<Nftables> = {}, observers: readonly SyncObserver[] = []) {
  let kernel = new FakeNftables();
  let now = Date.UTC(2026, 0);
  const clock: Clock = { ...systemClock, now: () => now };
  const real: Nftables = {
    apply: async (lines) => kernel.run(lines),
    list: async () => kernel.list(),
    listElements: async () => new Map(),
    ruleCounts: async () => kernel.ruleCounts(),
  };
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const daemon = new SyncController({ engine, tables: { ...real, ...tables }, log: silentLog, clock, observers });
  return {
    daemon,
    elements: (name: 'service-ips' | 'endpoints' = 'service-ips') => kernel.elements('ip', name).size,
    flush: () => {
      kernel = new FakeNftables();
    },
    pass: (ms: number) => {
      now += ms;
      daemon.request();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200 && !condition(); attempt++)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

t.test('Daemon repairs a flushed ruleset although nothing of ours changes', async (t) => {
  const { daemon, elements, flush, pass } = world();
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  replaceAll(daemon, [service(), slice()]);
  await until(() => elements() === 1);
  t.equal(elements(), 1);
  flush();
  t.equal(elements(), 0);
  pass(10_001);
  await until(() => elements() === 1);
  t.equal(elements(), 1);
  stop.abort();
  await running;
});

t.test('Daemon takes an initial load that is still on its way for no foreign change', async (t) => {
  const altered: string[] = [];
  const { daemon, elements } = world({}, [{ chainsModified: (chains) => altered.push(...chains) }]);
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  daemon.replace('Node', []);
  const many = Array.from({ length: 600 }, (_, index) => index);
  const ip = (index: number) => `172.30.${index >> 8}.${index & 255}`;
  daemon.replace(
    'Service',
    many.map((index) => readService(service(`shop/web-${index}`, { spec: clusterIps(ip(index)) }))),
  );
  const slices = many.map((index) => {
    const endpoints = Array.from({ length: 10 }, (_, slot) => endpoint(`10.1.${slot}.${index % 250}`));
    return readEndpointSlice(slice(`shop/web-${index}`, { endpoints }));
  });
  for (const read of slices) daemon.preview('EndpointSlice', read);
  await until(() => elements('endpoints') >= 5000);
  t.equal(elements('endpoints'), 5000, 'a whole run is there before the list is complete');
  daemon.replace('EndpointSlice', slices);
  await until(() => elements() === 600);
  t.equal(elements(), 600);
  t.strictSame(altered, []);
  stop.abort();
  await running;
});

t.test('Daemon syncs although nothing can be loaded ahead', async (t) => {
  let failures = 1;
  const kernel = new FakeNftables();
  const list = async () => {
    if (failures-- > 0) throw new Error('no listing yet');
    return kernel.list();
  };
  const { daemon, elements } = world({ list });
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  daemon.replace('Node', []);
  await until(() => failures === 0);
  replaceAll(daemon, [service(), slice()]);
  await until(() => elements() === 1);
  t.equal(elements(), 1);
  stop.abort();
  await running;
});

t.test('Daemon changes nothing in the kernel until its observers are ready', async (t) => {
  const ready = Promise.withResolvers<void>();
  let asked = 0;
  const applying = () => {
    asked++;
    return ready.promise;
  };
  const { daemon, elements } = world({}, [{ beforeApply: applying }]);
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  replaceAll(daemon, [service(), slice()]);
  await until(() => asked > 0);
  t.equal(asked, 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(elements(), 0);
  ready.resolve();
  await until(() => elements() === 1);
  t.equal(elements(), 1);
  stop.abort();
  await running;
});

t.test('Daemon says once that all is known, before the first sync', async (t) => {
  const told: string[] = [];
  const observer: SyncObserver = {
    queued: () => told.push('queued'),
    listed: () => told.push('listed'),
    committed: ({ isInitial }) => told.push(isInitial ? 'completed' : 'committed'),
  };
  const { daemon, elements, pass } = world({}, [observer]);
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  daemon.replace('Node', []);
  await new Promise((resolve) => setImmediate(resolve));
  replaceAll(daemon, [service(), slice()]);
  await until(() => elements() === 1 && told.includes('completed'));
  t.strictSame(told, ['queued', 'listed', 'completed']);
  pass(1);
  await until(() => told.length === 5);
  t.strictSame(told.slice(3), ['queued', 'committed']);
  stop.abort();
  await running;
});

t.test('Daemon tells when a sync begins, what it was, and of one that failed', async (t) => {
  const told: unknown[] = [];
  let failures = 1;
  const kernel = new FakeNftables();
  const run = async (lines: readonly string[]) => {
    if (failures-- > 0) throw new Error('not now');
    kernel.run(lines);
  };
  const observer: SyncObserver = {
    syncStarted: () => told.push('began'),
    failed: (_, { full }) => told.push({ failed: { full } }),
    committed: ({ report: { full, transactionSizes, cleanupFailed }, times: { hadEvents } }) =>
      told.push({ full, sizes: transactionSizes.length, tidyFailed: cleanupFailed, hadEvents }),
  };
  const { daemon, pass } = world({ apply: run, list: async () => kernel.list() }, [observer]);
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  replaceAll(daemon, [service(), slice()]);
  await until(() => told.length === 4);
  const first = { full: true, sizes: 1, tidyFailed: false, hadEvents: true };
  t.strictSame(told, ['began', { failed: { full: false } }, 'began', first]);
  pass(1);
  await until(() => told.length === 6);
  t.strictSame(told.slice(4), ['began', { full: false, sizes: 0, tidyFailed: false, hadEvents: true }]);
  stop.abort();
  await running;
});

t.test('Daemon hands each observer the changed Services before it applies them, and again when it has', async (t) => {
  const told: string[] = [];
  let failures = 1;
  const kernel = new FakeNftables();
  const run = async (lines: readonly string[]) => {
    if (failures-- > 0) throw new Error('not now');
    kernel.run(lines);
  };
  const observers = ['a', 'b'].map((name): SyncObserver => {
    const tell = (what: string, services: readonly ServiceChange[]) =>
      told.push(`${name} ${what}: ${services.map(({ key, state }) => `${key} ${state}`).join(', ')}`);
    return {
      beforeApply: async (services) => void tell('before', services),
      committed: ({ services }) => tell('committed', services),
    };
  });
  const { daemon } = world({ apply: run, list: async () => kernel.list() }, observers);
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  replaceAll(daemon, [service(), slice()]);
  const both = (text: string) => [`a ${text}`, `b ${text}`];
  await until(() => told.length === 6);
  const served = 'shop/web served';
  t.strictSame(told.splice(0), [`before: ${served}`, `before: ${served}`, `committed: ${served}`].flatMap(both));
  remove(daemon, service());
  await until(() => told.length === 4);
  t.strictSame(told.splice(0), ['before: shop/web absent', 'committed: shop/web absent'].flatMap(both));
  daemon.request();
  await until(() => told.length === 4);
  t.strictSame(told, ['before: ', 'committed: '].flatMap(both), 'nothing changed');
  stop.abort();
  await running;
});

t.test('Daemon looks after every event, and asks nothing of the kernel when it meant nothing', async (t) => {
  const runs: number[] = [];
  const kernel = new FakeNftables();
  const run = async (lines: readonly string[]) => {
    runs.push(lines.length);
    kernel.run(lines);
  };
  const { daemon } = world({ apply: run, list: async () => kernel.list() });
  const stop = new AbortController();
  const running = daemon.run(stop.signal);
  replaceAll(daemon, [service(), slice()]);
  const slots = () => kernel.elements('ip', 'endpoints').size;
  await until(() => slots() === 1);
  const before = runs.length;
  put(daemon, service('shop/web', { metadata: { resourceVersion: '2' } }), slice('shop/web', { metadata: { x: 'y' } }));
  remove(daemon, slice('shop/unknown'));
  put(daemon, service('shop/web', { spec: { externalIPs: ['198.51.100.1'] } }));
  await until(() => slots() === 2);
  t.equal(slots(), 2);
  t.equal(runs.length, before + 1, 'one transaction, for the one change');
  stop.abort();
  await running;
});
