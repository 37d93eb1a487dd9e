// Tests of src/controller/sync-controller.ts.

import t, { type Test } from 'tap';
import type { StartGuard } from '../../../src/controller/start-gate.ts';
import type { RulesetClient } from '../../../src/controller/sync.ts';
import { SyncController } from '../../../src/controller/sync-controller.ts';
import type { SyncObserver } from '../../../src/controller/sync-observer.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { ServiceChange } from '../../../src/engine/service-change.ts';
import { type Clock, systemClock } from '../../../src/host/clock.ts';
import type { Log } from '../../../src/host/log.ts';
import { readEndpointSlice } from '../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put, remove, replaceAll } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';
import { silentLog } from '../../support/fakes/silent-log.ts';

interface WorldOptions {
  readonly nftClient?: Partial<RulesetClient>;
  readonly observers?: readonly SyncObserver[];
  readonly log?: Log;
  /** The number of transactions that fail before the first one succeeds. */
  readonly failures?: number;
  readonly startGuard?: () => StartGuard;
}

function world(t: Test, { nftClient = {}, failures = 0, ...options }: WorldOptions = {}) {
  let kernel = new FakeNftables();
  let transactions = 0;
  let now = Date.UTC(2026, 0);
  const clock: Clock = { ...systemClock, now: () => now };
  const real: RulesetClient = {
    apply: async (lines) => {
      if (++transactions <= failures) throw new Error('not now');
      kernel.run(lines);
    },
    list: async () => kernel.list(),
    listElements: async () => new Map(),
    listTables: async () => kernel.listTables(),
  };
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const common = { engine, nftClient: { ...real, ...nftClient }, log: silentLog, clock };
  const controller = new SyncController({ ...common, ...options });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  return {
    controller,
    transactions: () => transactions,
    elements: (name: 'service-ips' | 'endpoints' = 'service-ips') => kernel.elements('ip', name).size,
    flush: () => {
      kernel = new FakeNftables();
    },
    pass: (ms: number) => {
      now += ms;
      controller.request();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200 && !condition(); attempt++)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

t.test('SyncController repairs a flushed ruleset when no object changes', async (t) => {
  const { controller, elements, flush, pass } = world(t);
  replaceAll(controller, [service(), slice()]);
  await until(() => elements() === 1);
  t.equal(elements(), 1);
  flush();
  t.equal(elements(), 0);
  pass(10_001);
  await until(() => elements() === 1);
  t.equal(elements(), 1);
});

t.test('SyncController does not report an incomplete initial load as a foreign change', async (t) => {
  const modified: string[] = [];
  const { controller, elements } = world(t, { observers: [{ chainsModified: (chains) => modified.push(...chains) }] });
  controller.replace('Node', []);
  const many = Array.from({ length: 600 }, (_, index) => index);
  const ip = (index: number) => `172.30.${index >> 8}.${index & 255}`;
  controller.replace(
    'Service',
    many.map((index) => readService(service(`shop/web-${index}`, { spec: clusterIps(ip(index)) }))),
  );
  const slices = many.map((index) => {
    const endpoints = Array.from({ length: 10 }, (_, slot) => endpoint(`10.1.${slot}.${index % 250}`));
    return readEndpointSlice(slice(`shop/web-${index}`, { endpoints }));
  });
  for (const read of slices) controller.preview('EndpointSlice', read);
  await until(() => elements('endpoints') >= 5000);
  t.equal(elements('endpoints'), 5000, 'they are loaded before the list is complete');
  controller.replace('EndpointSlice', slices);
  await until(() => elements() === 600);
  t.equal(elements(), 600);
  t.strictSame(modified, []);
});

t.test('SyncController syncs after a failed preload', async (t) => {
  let failures = 1;
  const kernel = new FakeNftables();
  const list = async () => {
    if (failures-- > 0) throw new Error('no listing yet');
    return kernel.list();
  };
  const { controller, elements } = world(t, { nftClient: { list } });
  controller.replace('Node', []);
  await until(() => failures === 0);
  replaceAll(controller, [service(), slice()]);
  await until(() => elements() === 1);
  t.equal(elements(), 1);
});

t.test('SyncController does not change the kernel until beforeApply resolves', async (t) => {
  const ready = Promise.withResolvers<void>();
  let calls = 0;
  const beforeApply = () => {
    calls++;
    return ready.promise;
  };
  const { controller, elements } = world(t, { observers: [{ beforeApply }] });
  replaceAll(controller, [service(), slice()]);
  await until(() => calls > 0);
  t.equal(calls, 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(elements(), 0);
  ready.resolve();
  await until(() => elements() === 1);
  t.equal(elements(), 1);
});

t.test('SyncController reports once, before the first sync, that the lists are complete', async (t) => {
  const records: string[] = [];
  const observer: SyncObserver = {
    queued: () => records.push('queued'),
    listed: () => records.push('listed'),
    committed: ({ isInitial }) => records.push(isInitial ? 'completed' : 'committed'),
  };
  const { controller, elements, pass } = world(t, { observers: [observer] });
  controller.replace('Node', []);
  await new Promise((resolve) => setImmediate(resolve));
  replaceAll(controller, [service(), slice()]);
  await until(() => elements() === 1 && records.includes('completed'));
  t.strictSame(records, ['queued', 'listed', 'completed']);
  pass(1);
  await until(() => records.length === 5);
  t.strictSame(records.slice(3), ['queued', 'committed']);
});

t.test('SyncController reports the start, the success and the failure of syncs', async (t) => {
  const records: unknown[] = [];
  const observer: SyncObserver = {
    syncStarted: () => records.push('started'),
    failed: (_, { full }) => records.push({ failed: { full } }),
    committed: ({ report: { full, transactionSizes, cleanupFailed }, times: { hadEvents } }) =>
      records.push({ full, sizes: transactionSizes.length, cleanupFailed, hadEvents }),
  };
  const { controller, pass } = world(t, { failures: 1, observers: [observer] });
  replaceAll(controller, [service(), slice()]);
  await until(() => records.length === 4);
  const first = { full: true, sizes: 1, cleanupFailed: false, hadEvents: true };
  t.strictSame(records, ['started', { failed: { full: false } }, 'started', first]);
  pass(1);
  await until(() => records.length === 6);
  t.strictSame(records.slice(4), ['started', { full: false, sizes: 0, cleanupFailed: false, hadEvents: true }]);
});

t.test('SyncController says which commits repaired what others changed', async (t) => {
  const repairs: boolean[] = [];
  const observers = [{ committed: ({ isRepair }: { isRepair: boolean }) => void repairs.push(isRepair) }];
  const { controller, flush, pass } = world(t, { observers });
  const next = async (change: () => void): Promise<boolean | undefined> => {
    const { length } = repairs;
    change();
    await until(() => repairs.length > length);
    return repairs[length];
  };
  t.equal(await next(() => replaceAll(controller, [service(), slice()])), false, 'the initial load');
  t.equal(await next(() => pass(1)), false, 'a request');
  const flushed = (): void => {
    flush();
    pass(10_001);
  };
  t.equal(await next(flushed), true, 'found by the check of the tables');
  t.equal(await next(() => pass(1)), false, 'only once');
  const commit = { generation: 7, pid: 1, program: 'nft', notifications: [], omitted: new Map() };
  const notification = {
    kind: 'element',
    verb: 'delete',
    object: { family: 'ip', name: 'service-ips' },
    key: '10.96.0.1 . tcp . 80',
    installed: { data: '', comment: '' },
  } as const;
  t.equal(await next(() => controller.repair({ ...commit, notifications: [notification] })), true, 'notified');
  t.equal(await next(() => controller.recoverFromGap('overflow')), true, 'notifications are missing');
});

t.test('SyncController passes the changed Services to each observer, before applying and when committed', async (t) => {
  const records: string[] = [];
  const observers = ['a', 'b'].map((name): SyncObserver => {
    const record = (call: string, services: readonly ServiceChange[]) =>
      records.push(`${name} ${call}: ${services.map(({ key, state }) => `${key} ${state}`).join(', ')}`);
    return {
      beforeApply: async (services) => void record('before', services),
      committed: ({ services }) => record('committed', services),
    };
  });
  const { controller } = world(t, { failures: 1, observers });
  replaceAll(controller, [service(), slice()]);
  const both = (text: string) => [`a ${text}`, `b ${text}`];
  await until(() => records.length === 6);
  const served = 'shop/web served';
  t.strictSame(records.splice(0), [`before: ${served}`, `before: ${served}`, `committed: ${served}`].flatMap(both));
  remove(controller, service());
  await until(() => records.length === 4);
  t.strictSame(records.splice(0), ['before: shop/web absent', 'committed: shop/web absent'].flatMap(both));
  controller.request();
  await until(() => records.length === 4);
  t.strictSame(records, ['before: ', 'committed: '].flatMap(both), 'nothing changed');
});

t.test('SyncController passes a commit to all observers although one throws', async (t) => {
  const { log, lines } = recordLog();
  const records: string[] = [];
  const throwing: SyncObserver = {
    committed: () => {
      throw new Error('broken');
    },
  };
  const recording: SyncObserver = {
    committed: ({ services, isInitial }) => records.push(`${services.length} ${isInitial}`),
    failed: () => records.push('failed'),
  };
  const { controller, pass } = world(t, { observers: [throwing, recording], log });
  replaceAll(controller, [service(), slice()]);
  await until(() => records.length === 1);
  pass(1);
  await until(() => records.length === 2);
  t.strictSame(records, ['1 true', '0 false']);
  t.match(lines, [
    { level: 'error', message: 'sync observer failed', details: { reason: 'broken' } },
    { level: 'error', message: 'sync observer failed' },
  ]);
});

t.test('SyncController handles every event, and sends nothing to the kernel without a change', async (t) => {
  const { controller, elements, transactions } = world(t);
  replaceAll(controller, [service(), slice()]);
  const slots = () => elements('endpoints');
  await until(() => slots() === 1);
  const before = transactions();
  put(
    controller,
    service('shop/web', { metadata: { resourceVersion: '2' } }),
    slice('shop/web', { metadata: { x: 'y' } }),
  );
  remove(controller, slice('shop/unknown'));
  put(controller, service('shop/web', { spec: { externalIPs: ['198.51.100.1'] } }));
  await until(() => slots() === 2);
  t.equal(slots(), 2);
  t.equal(transactions(), before + 1, 'one transaction for one change');
});

t.test('SyncController changes nothing while the start is held, and counts no sync', async (t) => {
  let asked = 0;
  let mayStartNow = false;
  const journal: string[] = [];
  const observer: SyncObserver = {
    listed: () => journal.push('listed'),
    startHeld: () => journal.push('held'),
    syncStarted: () => journal.push('started'),
    failed: (error) => journal.push(`failed ${error}`),
    committed: ({ isInitial, times }) => journal.push(`committed ${isInitial} ${times.latencyMs} ms`),
  };
  const startGuard = (): StartGuard => ({
    mayStartNow,
    // biome-ignore lint/correctness/useYield: it takes one step
    *mayStart() {
      asked++;
      return false;
    },
    started: () => {},
  });
  const { controller, elements, pass, transactions } = world(t, { observers: [observer], startGuard });
  replaceAll(controller, [service(), slice()]);
  await until(() => asked > 0);
  pass(1_000);
  await until(() => asked > 1);
  pass(100_000);
  await until(() => asked > 2);
  t.strictSame([transactions(), [...new Set(journal)]], [0, ['held']]);
  mayStartNow = true;
  pass(1_000);
  await until(() => journal.includes('started'));
  await until(() => elements() === 1);
  t.strictSame([...new Set(journal)], ['held', 'listed', 'started', 'committed true 0 ms']);
  put(controller, slice('shop/web', { endpoints: [] }));
  await until(() => elements() === 0);
  t.equal(asked, 3, 'the guard of the source handles later losses');
});
