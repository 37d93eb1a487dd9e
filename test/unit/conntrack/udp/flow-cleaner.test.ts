// Tests of src/conntrack/udp/flow-cleaner.ts.

import { once } from 'node:events';
import { setImmediate as tick } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ConntrackError } from '../../../../src/conntrack/conntrack.ts';
import { type ConntrackEntry, parseEntry } from '../../../../src/conntrack/conntrack-entry.ts';
import type { StaleGroup } from '../../../../src/conntrack/stale-groups.ts';
import { FlowCleaner } from '../../../../src/conntrack/udp/flow-cleaner.ts';
import { parseAddressPort } from '../../../../src/net/address-port.ts';
import { commitAll, engineOf } from '../../../support/builders/engine.ts';
import { put, remove } from '../../../support/builders/put-objects.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { silentLog } from '../../../support/fakes/silent-log.ts';

const SERVICE = service('kube/dns', {
  spec: { type: 'NodePort', ports: [{ port: 53, protocol: 'UDP', nodePort: 30053 }] },
});

function endpoints(...hosts: readonly number[]): ApiObject {
  const ports = [{ name: '', protocol: 'UDP', port: 5353 }];
  return slice('kube/dns', { ports, endpoints: hosts.map((n) => endpoint(`10.1.0.${n}`)) });
}

function flow(to: string, host: number): string {
  const { address, port } = parseAddressPort(to, 0) ?? {};
  const reply = `src=10.1.0.${host} dst=10.0.0.1 sport=5353 dport=1000`;
  return `udp      17 27 src=10.0.0.1 dst=${address} sport=1000 dport=${port} ${reply} use=1`;
}

/** A flow that began while the rules were gone. */
const UNTRANSLATED =
  'udp      17 27 src=10.0.0.1 dst=10.96.0.1 sport=1000 dport=53 [UNREPLIED] src=10.96.0.1 dst=10.0.0.1 sport=53 dport=1000 use=1';

/** A conntrack table in memory, which can be made to fail. */
class FakeConntrack {
  lines: string[] = [];
  failure: Error | undefined;
  lists = 0;
  cpuMs = 0;
  onDelete: (() => void) | undefined;
  #underWay = 0;

  async listAttempts() {}

  async listFlows(family: 'ip' | 'ip6', take: (entry: ConntrackEntry) => void): Promise<void> {
    if (this.#underWay++ > 0) throw new Error('One at a time');
    await tick();
    this.#underWay--;
    if (this.failure !== undefined) throw this.failure;
    if (family === 'ip6') return;
    this.lists++;
    for (const line of this.lines) {
      const entry = parseEntry(line);
      if (entry !== undefined) take(entry);
    }
  }

  /** Whether `delete` runs until it is aborted. */
  hangs = false;

  async delete({ first }: StaleGroup, { signal }: { signal?: AbortSignal }): Promise<number> {
    if (this.hangs && signal !== undefined) {
      await once(signal, 'abort');
      return 0;
    }
    const before = this.lines.length;
    this.lines = this.lines.filter((line) => {
      const entry = parseEntry(line);
      const { destination, destinationPort } = first.original;
      const isSameFrontend =
        entry?.original.destination === destination && entry.original.destinationPort === destinationPort;
      return !isSameFrontend || entry.reply.source !== first.reply.source;
    });
    const deleted = before - this.lines.length;
    this.onDelete?.();
    return deleted;
  }
}

function start(t: Test, ...objects: readonly ApiObject[]) {
  const engine = engineOf([]);
  const conntrack = new FakeConntrack();
  const records: { message: string; details: unknown }[] = [];
  const write = (message: string, details?: unknown) => void records.push({ message, details });
  const cleanUps: unknown[] = [];
  let now = 0;
  const hooks: { onSleep?: (() => void) | undefined } = {};
  const sleep = async (ms: number) => {
    now += ms;
    hooks.onSleep?.();
    await tick();
  };
  const clock = { now: () => now, wallTime: (at: number) => at, sleep, random: () => 0 };
  const cleaner = new FlowCleaner({
    engine,
    conntrack,
    hostAddresses: () => ['127.0.0.1', '192.0.2.1', 'fd00::1'],
    log: { ...silentLog, info: write, warn: write },
    clock,
    onCleanup: ({ deleted }) => cleanUps.push(deleted),
  });
  const stop = new AbortController();
  const running = cleaner.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  /** A sync that reaches the kernel, and may still fail. */
  const apply = (): Promise<void> => {
    commitAll(engine);
    return cleaner.beforeApply(engine.changes.list());
  };
  const commit = ({ isRepair = false } = {}): void => {
    cleaner.committed({ at: now, services: engine.changes.take(), isRepair });
  };
  /** A successful sync, and the cleanup after it. */
  const sync = async (): Promise<void> => {
    await apply();
    commit();
    for (let n = 0; n < 20; n++) await tick();
  };
  put(engine, ...objects);
  return { engine, conntrack, records, cleaner, cleanUps, apply, commit, sync, hooks };
}

t.test('FlowCleaner deletes the flows of a removed endpoint, and logs it once', async (t) => {
  const { engine, conntrack, records, cleanUps, sync } = start(t, SERVICE, endpoints(1, 2));
  conntrack.lines = [flow('10.96.0.1:53', 1), flow('10.96.0.1:53', 2), flow('192.0.2.1:30053', 1)];
  await sync();
  t.equal(conntrack.lists, 1);
  t.equal(conntrack.lines.length, 3, 'all are valid');
  t.strictSame(records, []);
  put(engine, endpoints(2));
  await sync();
  t.strictSame(conntrack.lines, [flow('10.96.0.1:53', 2)]);
  const reason = '10.1.0.1:5353 is not an endpoint of kube/dns';
  t.strictSame(records, [
    { message: 'deleted stale UDP conntrack entries', details: { count: 2, durationMs: 0, reason } },
  ]);
  t.strictSame(cleanUps, [
    { ip: 0, ip6: 0 },
    { ip: 2, ip6: 0 },
  ]);
});

t.test('FlowCleaner scans again after it deleted a flow that a reply may recreate', async (t) => {
  const { engine, conntrack, records, sync } = start(t);
  const plain = (from: string, sport: number, to: string, dport: number) =>
    `udp      17 27 src=${from} dst=${to} sport=${sport} dport=${dport} src=${to} dst=${from} sport=${dport} dport=${sport} use=1`;
  const reversed = plain('192.0.2.1', 30053, '10.0.0.1', 1000);
  const others = plain('192.0.2.1', 30053, '10.0.0.2', 1000);
  conntrack.lines = [plain('10.0.0.1', 1000, '192.0.2.1', 30053), others];
  let replies = 2;
  conntrack.onDelete = () => {
    if (replies-- > 0) conntrack.lines.push(reversed);
  };
  put(engine, SERVICE, endpoints(1));
  await sync();
  t.strictSame(conntrack.lines, [others], 'a process of this node may use this source port');
  const reason = 'the flow to 192.0.2.1:30053 is older than this frontend of kube/dns';
  t.match(records, [{ details: { count: 3, reason } }]);
  conntrack.lines.push(reversed);
  for (let n = 0; n < 200; n++) await tick();
  t.strictSame(conntrack.lines, [others], 'a late reply');
  const { lists } = conntrack;
  for (let n = 0; n < 200; n++) await tick();
  t.equal(conntrack.lists, lists, 'all replies have arrived');
});

t.test('FlowCleaner does nothing when no UDP Service changed', async (t) => {
  const { engine, conntrack, sync } = start(t, service(), slice());
  await sync();
  put(engine, slice('shop/web', { endpoints: [] }));
  await sync();
  t.equal(conntrack.lists, 0);
  put(engine, SERVICE, endpoints(1));
  await sync();
  put(engine, service('kube/dns', SERVICE), endpoints(1));
  await sync();
  t.equal(conntrack.lists, 1);
});

t.test('FlowCleaner checks all flows after a repair, which changed no Service', async (t) => {
  const { conntrack, sync, commit } = start(t, SERVICE, endpoints(1));
  await sync();
  conntrack.lines = [flow('10.96.0.1:53', 1), UNTRANSLATED];
  commit();
  for (let n = 0; n < 20; n++) await tick();
  t.equal(conntrack.lines.length, 2, 'no repair');
  commit({ isRepair: true });
  for (let n = 0; n < 20; n++) await tick();
  t.strictSame(conntrack.lines, [flow('10.96.0.1:53', 1)]);
});

t.test('FlowCleaner deletes the flows of a deleted Service', async (t) => {
  const { engine, conntrack, records, sync } = start(t, SERVICE, endpoints(1));
  conntrack.lines = [flow('10.96.0.1:53', 1), flow('192.0.2.1:30053', 1), flow('10.96.0.1:54', 1)];
  await sync();
  remove(engine, SERVICE, endpoints(1));
  await sync();
  t.strictSame(conntrack.lines, [flow('10.96.0.1:54', 1)]);
  t.match(records, [{ details: { count: 2, reason: '10.96.0.1:53 is no longer a frontend of kube/dns' } }]);
});

t.test('FlowCleaner ignores Services that were deleted before it started', async (t) => {
  const { conntrack, sync } = start(t, service('kube/other', { spec: { ports: [{ port: 9, protocol: 'UDP' }] } }));
  conntrack.lines = [flow('10.96.0.1:53', 1)];
  await sync();
  t.equal(conntrack.lists, 1);
  t.equal(conntrack.lines.length, 1);
});

t.test('FlowCleaner waits for a successful sync', async (t) => {
  const { engine, conntrack, apply, sync } = start(t, SERVICE, endpoints(1));
  conntrack.lines = [flow('10.96.0.1:53', 1)];
  await sync();
  put(engine, endpoints(2));
  await apply();
  for (let n = 0; n < 20; n++) await tick();
  t.equal(conntrack.lines.length, 1, 'the sync failed');
  await sync();
  t.equal(conntrack.lines.length, 0);
});

t.test('FlowCleaner keeps flows that a running sync may make valid', async (t) => {
  const { engine, conntrack, apply, commit, sync } = start(t, SERVICE, endpoints(1));
  await sync();
  put(engine, endpoints(2));
  await apply();
  commit();
  put(engine, endpoints(1, 2, 3));
  await apply();
  conntrack.lines = [flow('10.96.0.1:53', 1), flow('10.96.0.1:53', 3)];
  for (let n = 0; n < 20; n++) await tick();
  t.equal(conntrack.lists, 2);
  t.equal(conntrack.lines.length, 2);
  await sync();
  t.equal(conntrack.lists, 3);
  t.equal(conntrack.lines.length, 2);
});

t.test('FlowCleaner grants each flow the grace period from the change that made it stale', async (t) => {
  const { engine, conntrack, cleanUps, apply, commit, sync, hooks } = start(t, SERVICE, endpoints(1, 2));
  await sync();
  conntrack.lines = [flow('10.96.0.1:53', 1), flow('10.96.0.1:53', 2)];
  hooks.onSleep = () => {
    hooks.onSleep = undefined;
    put(engine, endpoints());
    void apply();
    commit();
  };
  put(engine, endpoints(2));
  await sync();
  t.strictSame(cleanUps.slice(1), [
    { ip: 1, ip6: 0 },
    { ip: 1, ip6: 0 },
  ]);
  t.strictSame(conntrack.lines, []);
});

t.test('FlowCleaner aborts a deletion only before a sync that restores the endpoint', async (t) => {
  const { engine, conntrack, cleaner, cleanUps, apply, sync } = start(t, SERVICE, endpoints(1, 2, 3));
  await sync();
  conntrack.lines = [flow('10.96.0.1:53', 1)];
  conntrack.hangs = true;
  put(engine, endpoints(2, 3));
  await sync();
  put(engine, endpoints(2));
  await sync();
  await cleaner.beforeApply(engine.changes.list());
  t.equal(cleanUps.length, 1, 'the deletion continues');
  put(engine, endpoints(1, 2));
  await apply();
  conntrack.hangs = false;
  await sync();
  t.strictSame(cleanUps[1], { ip: 0, ip6: 0 });
  t.equal(conntrack.lines.length, 1);
});

t.test('FlowCleaner keeps the flows of a Service that the kernel refused', async (t) => {
  const { engine, conntrack, sync } = start(t, SERVICE, endpoints(1));
  conntrack.lines = [flow('10.96.0.1:53', 1)];
  await sync();
  engine.refuse({ service: 'kube/dns', reason: 'Invalid argument' });
  await sync();
  t.equal(conntrack.lines.length, 1);
  remove(engine, SERVICE);
  await sync();
  t.equal(conntrack.lines.length, 0);
});

t.test('FlowCleaner assigns a frontend that several Services claim to its owner', async (t) => {
  const rival = (name: string, year: number, host: number): ApiObject[] => {
    const creationTimestamp = `${year}-01-01T00:00:00Z`;
    const spec = { clusterIP: `10.96.1.${host}`, clusterIPs: [`10.96.1.${host}`], externalIPs: ['198.51.100.1'] };
    const ports = [{ port: 53, protocol: 'UDP' }];
    const slicePorts = [{ name: '', protocol: 'UDP', port: 5353 }];
    return [
      service(name, { metadata: { creationTimestamp }, spec: { ...spec, ports } }),
      slice(name, { ports: slicePorts, endpoints: [endpoint(`10.1.0.${host}`)] }),
    ];
  };
  const older = rival('a/older', 2023, 1);
  const { engine, conntrack, sync } = start(t, ...older, ...rival('b/younger', 2024, 2));
  conntrack.lines = [flow('198.51.100.1:53', 1)];
  await sync();
  t.equal(conntrack.lines.length, 1);
  remove(engine, ...older);
  await sync();
  t.equal(conntrack.lines.length, 0);
});

t.test('FlowCleaner retries after a failure, and logs it once', async (t) => {
  const { engine, conntrack, records, sync } = start(t, SERVICE, endpoints(1));
  conntrack.lines = [flow('10.96.0.1:53', 1)];
  await sync();
  conntrack.failure = new ConntrackError('Operation failed', { kind: 'failed' });
  remove(engine, SERVICE);
  await sync();
  t.match(records, [{ message: 'cannot delete stale UDP conntrack entries', details: { reason: 'Operation failed' } }]);
  t.equal(records.length, 1);
  conntrack.failure = undefined;
  for (let n = 0; n < 20; n++) await tick();
  t.equal(conntrack.lines.length, 0, 'the removal was not forgotten');
  const ends = records.filter(({ message }) => message === 'stale UDP conntrack entries are deleted again');
  t.equal(ends.length, 1);
});

t.test('FlowCleaner logs a missing program once, and continues', async (t) => {
  const { engine, conntrack, records, sync } = start(t, SERVICE, endpoints(1));
  conntrack.failure = new ConntrackError('there is no such program', { kind: 'missing' });
  await sync();
  put(engine, endpoints(2));
  await sync();
  t.strictSame(records, [
    { message: 'stale UDP conntrack entries are not deleted', details: { reason: 'there is no such program' } },
  ]);
  conntrack.failure = undefined;
  conntrack.lines = [flow('10.96.0.1:53', 2)];
  put(engine, endpoints(3));
  await sync();
  t.equal(conntrack.lines.length, 0, 'it has been installed since');
});

t.test('FlowCleaner continues later with what would take too much time', async (t) => {
  const { engine, conntrack, cleanUps, sync } = start(t, SERVICE, endpoints(1, 2, 3));
  await sync();
  conntrack.lines = [1, 2, 3].map((host) => flow('10.96.0.1:53', host));
  conntrack.onDelete = () => {
    conntrack.cpuMs += 7000;
  };
  remove(engine, SERVICE, endpoints());
  await sync();
  for (let n = 0; n < 20; n++) await tick();
  t.strictSame(conntrack.lines, []);
  t.strictSame(cleanUps.slice(1, 3), [
    { ip: 2, ip6: 0 },
    { ip: 1, ip6: 0 },
  ]);
});
