// Tests of src/conntrack/tcp/attempt-cleaner.ts.

import { once } from 'node:events';
import { setImmediate as tick } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ConntrackError } from '../../../../src/conntrack/conntrack.ts';
import { type AttemptState, type ConntrackEntry, parseEntry } from '../../../../src/conntrack/conntrack-entry.ts';
import { groupKey, type StaleGroup } from '../../../../src/conntrack/stale-groups.ts';
import { AttemptCleaner } from '../../../../src/conntrack/tcp/attempt-cleaner.ts';
import type { Family } from '../../../../src/net/family.ts';
import { commitAll, engineOf } from '../../../support/builders/engine.ts';
import { put } from '../../../support/builders/put-objects.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { silentLog } from '../../../support/fakes/silent-log.ts';

const WEB = service('shop/web', { spec: { ports: [{ port: 80, protocol: 'TCP' }] } });
const DELETED = 'deleted stale TCP conntrack entries';
const EXTERNAL = '198.51.100.9';
const BALANCED = service('shop/web', {
  spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }] },
  status: { loadBalancer: { ingress: [{ ip: EXTERNAL }] } },
});

function endpoints(...hosts: readonly number[]): ApiObject {
  const ports = [{ name: '', protocol: 'TCP', port: 8080 }];
  return slice('shop/web', { ports, endpoints: hosts.map((n) => endpoint(`10.1.0.${n}`)) });
}

interface Attempt {
  readonly state?: AttemptState;
  readonly port?: number;
  readonly to?: string;
}

/** An attempt that was translated to an endpoint. */
function attemptTo(host: number, { state = 'SYN_SENT', port = 1000, to = '10.96.0.1' }: Attempt = {}): string {
  const reply = `src=10.1.0.${host} dst=10.0.0.1 sport=8080 dport=${port}`;
  return `tcp      6 100 ${state} src=10.0.0.1 dst=${to} sport=${port} dport=80 [UNREPLIED] ${reply} use=1`;
}

/** An attempt from before the rules. */
function untranslated({ state = 'SYN_SENT', port = 1000, to = '10.96.0.1' }: Attempt = {}): string {
  const reply = `src=${to} dst=10.0.0.1 sport=80 dport=${port}`;
  return `tcp      6 100 ${state} src=10.0.0.1 dst=${to} sport=${port} dport=80 [UNREPLIED] ${reply} use=1`;
}

/** A conntrack table in memory. */
class FakeConntrack {
  lines: string[] = [];
  failure: Error | undefined;
  lists = 0;
  /** One entry for each run: how many entries it deleted. */
  readonly deletions: number[] = [];
  cpuMs = 0;
  hangs = false;
  onDelete: (() => void) | undefined;

  async listFlows() {}

  async listAttempts(_families: readonly Family[], take: (entry: ConntrackEntry) => void) {
    await tick();
    if (this.failure !== undefined) throw this.failure;
    this.lists++;
    for (const line of this.lines) {
      const entry = parseEntry(line);
      if (entry !== undefined) take(entry);
    }
  }

  async delete({ first, count }: StaleGroup, { signal }: { signal?: AbortSignal } = {}) {
    if (this.hangs && signal !== undefined) await once(signal, 'abort');
    if (this.hangs) return 0;
    const before = this.lines.length;
    const isSame = (entry: ConntrackEntry): boolean =>
      groupKey(entry) === groupKey(first) && (count > 1 || entry.original.sourcePort === first.original.sourcePort);
    this.lines = this.lines.filter((line) => {
      const entry = parseEntry(line);
      return entry === undefined || !isSame(entry);
    });
    const deleted = before - this.lines.length;
    this.deletions.push(deleted);
    this.onDelete?.();
    return deleted;
  }
}

function start(t: Test, ...objects: readonly ApiObject[]) {
  const engine = engineOf([]);
  const conntrack = new FakeConntrack();
  const records: { message: string; details: unknown }[] = [];
  const write = (message: string, details?: unknown) => void records.push({ message, details });
  let now = 0;
  const hooks: { onSleep?: (() => void) | undefined } = {};
  const sleep = async (ms: number) => {
    now += ms;
    hooks.onSleep?.();
    await tick();
  };
  const clock = { now: () => now, wallTime: (at: number) => at, sleep, random: () => 0 };
  const cleaner = new AttemptCleaner({
    engine,
    conntrack,
    hostAddresses: () => ['192.0.2.1'],
    log: { ...silentLog, info: write, warn: write },
    clock,
  });
  const stop = new AbortController();
  const running = cleaner.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  const settle = async (): Promise<void> => {
    for (let n = 0; n < 60; n++) await tick();
  };
  /** A sync, and the cleanup after it. */
  const sync = async (commit: { isInitial?: boolean; isRepair?: boolean } = {}): Promise<void> => {
    commitAll(engine);
    await cleaner.beforeApply();
    cleaner.committed({ services: engine.changes.take(), isInitial: false, isRepair: false, ...commit });
    await settle();
  };
  put(engine, ...objects);
  return { engine, conntrack, cleaner, records, sync, settle, hooks };
}

t.test('AttemptCleaner deletes stale attempts, unanswered and refused ones, and logs it once', async (t) => {
  const { conntrack, records, sync } = start(t, WEB, endpoints(1));
  const kept = [attemptTo(1), attemptTo(9, { state: 'CLOSE' })];
  conntrack.lines = [untranslated(), attemptTo(9), untranslated({ state: 'CLOSE' }), ...kept];
  await sync();
  t.strictSame(conntrack.lines, kept);
  const reason = 'the attempt to 10.96.0.1:80 is older than this frontend';
  t.strictSame(records, [{ message: DELETED, details: { count: 3, durationMs: 300, reason } }]);
});

t.test('AttemptCleaner runs after the initial load, a repair and a change of a Service with TCP', async (t) => {
  const udp = service('shop/udp', { spec: { ports: [{ port: 9, protocol: 'UDP' }] } });
  const { engine, conntrack, sync } = start(t, udp);
  await sync();
  t.equal(conntrack.lists, 0, 'no Service with TCP changed');
  await sync({ isInitial: true });
  t.equal(conntrack.lists, 1);
  await sync({ isRepair: true });
  t.equal(conntrack.lists, 2);
  put(engine, WEB);
  await sync();
  t.equal(conntrack.lists, 3);
});

t.test('AttemptCleaner keeps what becomes valid within the grace time', async (t) => {
  const { engine, conntrack, sync, hooks } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines = [attemptTo(2)];
  hooks.onSleep = () => {
    hooks.onSleep = undefined;
    put(engine, endpoints(1, 2));
    engine.compile();
  };
  await sync({ isRepair: true });
  t.strictSame(conntrack.lines, [attemptTo(2)]);
});

t.test('AttemptCleaner grants each attempt its own grace time, unless nothing can answer it', async (t) => {
  const { conntrack, sync, hooks } = start(t, BALANCED, endpoints(1));
  await sync();
  const external = untranslated({ to: EXTERNAL });
  const [older, newer] = [attemptTo(2), attemptTo(2, { port: 1001 })];
  conntrack.lines = [untranslated(), external, older];
  const seen: (readonly string[])[] = [];
  hooks.onSleep = () => {
    seen.push(conntrack.lines);
    if (seen.length === 1) conntrack.lines = [...conntrack.lines, newer];
  };
  await sync({ isRepair: true });
  t.strictSame(seen.slice(0, 2), [
    [external, older],
    [older, newer],
  ]);
  t.strictSame(conntrack.lines, []);
  t.strictSame(conntrack.deletions, [1, 1, 2], 'both attempts to the endpoint together, when the newer one had waited');
});

t.test('AttemptCleaner deletes a group once for each commit: another program may fill it again', async (t) => {
  const { conntrack, sync, settle } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.onDelete = () => {
    conntrack.lines = [attemptTo(9, { port: 1000 + conntrack.deletions.length })];
  };
  conntrack.lines = [attemptTo(9)];
  conntrack.lists = 0;
  await sync({ isRepair: true });
  await settle();
  t.strictSame([conntrack.deletions, conntrack.lists], [[1], 2]);
  await sync({ isRepair: true });
  await settle();
  t.strictSame([conntrack.deletions, conntrack.lists], [[1, 1], 4]);
});

t.test('AttemptCleaner leaves a group that has a new attempt at each scan', async (t) => {
  const { conntrack, records, sync, settle, hooks } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines = [attemptTo(9), attemptTo(8)];
  let port = 1001;
  hooks.onSleep = () => conntrack.lines.push(attemptTo(9, { port: port++ }));
  conntrack.lists = 0;
  await sync({ isRepair: true });
  await settle();
  t.equal(conntrack.lists, 5);
  t.strictSame(conntrack.deletions, [1], 'the other group');
  t.match(records, [{ details: { count: 1, reason: '10.1.0.8:8080 is not an endpoint of 10.96.0.1:80' } }]);
});

t.test(
  'AttemptCleaner continues later with what it has no time for, although another program fills groups',
  async (t) => {
    const { conntrack, sync, settle } = start(t, WEB, endpoints(1));
    await sync();
    const foreign = () => [9, 10, 11].flatMap((host) => [1, 2, 3].map((port) => attemptTo(host, { port })));
    const own = [20, 21, 22].map((host) => attemptTo(host));
    conntrack.lines = [...foreign(), ...own];
    conntrack.lists = 0;
    conntrack.onDelete = () => {
      conntrack.cpuMs += 700;
      conntrack.lines = [...foreign(), ...conntrack.lines.filter((line) => own.includes(line))];
    };
    await sync({ isRepair: true });
    for (let n = 0; n < 10; n++) await settle();
    t.strictSame(conntrack.lines, foreign());
    t.equal(conntrack.deletions.length, 6, 'each group once');
    const { lists } = conntrack;
    for (let n = 0; n < 10; n++) await settle();
    t.equal(conntrack.lists, lists, 'nothing is left to do');
  },
);

t.test('AttemptCleaner cleans up with the next commit if the state of the kernel was unknown', async (t) => {
  const { engine, conntrack, cleaner, sync, settle } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines = [untranslated()];
  engine.invalidate();
  cleaner.committed({ services: [], isInitial: false, isRepair: true });
  await settle();
  t.equal(conntrack.lines.length, 1);
  engine.adopt({ elements: new Map(), chains: [] });
  await sync();
  t.equal(conntrack.lines.length, 0);
});

t.test('AttemptCleaner aborts a deletion only before a sync that restores the endpoint', async (t) => {
  const { engine, conntrack, cleaner, sync, settle } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines = [attemptTo(2)];
  conntrack.hangs = true;
  await sync({ isRepair: true });
  await cleaner.beforeApply();
  put(engine, endpoints(1, 2));
  engine.compile();
  await cleaner.beforeApply();
  await settle();
  t.strictSame(conntrack.lines, [attemptTo(2)]);
});

t.test('AttemptCleaner finds an attempt that was refused during the cleanup', async (t) => {
  const { conntrack, sync, hooks } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines = [attemptTo(2)];
  hooks.onSleep = () => {
    hooks.onSleep = undefined;
    conntrack.lines.push(untranslated({ state: 'CLOSE' }));
  };
  await sync({ isRepair: true });
  t.strictSame(conntrack.lines, []);
});

t.test('AttemptCleaner retries after a failure, and logs it once', async (t) => {
  const { conntrack, records, sync } = start(t, WEB, endpoints(1));
  conntrack.lines = [untranslated()];
  conntrack.failure = new ConntrackError('Operation failed', { kind: 'failed' });
  await sync();
  t.match(records, [{ message: 'cannot delete stale TCP conntrack entries', details: { reason: 'Operation failed' } }]);
  t.equal(records.length, 1);
  conntrack.failure = undefined;
  for (let n = 0; n < 40; n++) await tick();
  t.strictSame(conntrack.lines, []);
  const ends = records.filter(({ message }) => message === 'stale TCP conntrack entries are deleted again');
  t.equal(ends.length, 1);
});

t.test('AttemptCleaner logs a missing program once, and continues', async (t) => {
  const { conntrack, records, sync } = start(t, WEB, endpoints(1));
  conntrack.failure = new ConntrackError('there is no such program', { kind: 'missing' });
  await sync();
  await sync({ isRepair: true });
  t.strictSame(records, [
    { message: 'stale TCP conntrack entries are not deleted', details: { reason: 'there is no such program' } },
  ]);
});
