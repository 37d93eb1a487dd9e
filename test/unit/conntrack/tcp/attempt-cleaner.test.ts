// Tests of src/conntrack/tcp/attempt-cleaner.ts.

import { once } from 'node:events';
import { setImmediate as tick } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type AttemptState, ConntrackError, type FlowSelection } from '../../../../src/conntrack/conntrack.ts';
import { type ConntrackEntry, parseEntry } from '../../../../src/conntrack/conntrack-entry.ts';
import type { StaleGroup } from '../../../../src/conntrack/stale-groups.ts';
import { AttemptCleaner } from '../../../../src/conntrack/tcp/attempt-cleaner.ts';
import { commitAll, engineOf } from '../../../support/builders/engine.ts';
import { put } from '../../../support/builders/put-objects.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { silentLog } from '../../../support/fakes/silent-log.ts';

const WEB = service('shop/web', { spec: { ports: [{ port: 80, protocol: 'TCP' }] } });
const FRONTEND = 'src=10.0.0.1 dst=10.96.0.1 sport=1000 dport=80';
const UNTRANSLATED = `${FRONTEND} [UNREPLIED] src=10.96.0.1 dst=10.0.0.1 sport=80 dport=1000`;

function endpoints(...hosts: readonly number[]): ApiObject {
  const ports = [{ name: '', protocol: 'TCP', port: 8080 }];
  return slice('shop/web', { ports, endpoints: hosts.map((n) => endpoint(`10.1.0.${n}`)) });
}

/** An attempt that was translated to an endpoint. */
function attemptTo(host: number): string {
  return `${FRONTEND} [UNREPLIED] src=10.1.0.${host} dst=10.0.0.1 sport=8080 dport=1000`;
}

/** A conntrack table in memory, whose programs take processor time. */
class FakeConntrack {
  readonly lines: Record<AttemptState, string[]> = { SYN_SENT: [], CLOSE: [] };
  failure: Error | undefined;
  lists = 0;
  cpuMs = 0;
  hangs = false;
  usedCpuMs = 0;

  async list(selection: FlowSelection & { family: 'ip' | 'ip6' }, take: (entry: ConntrackEntry) => void) {
    await tick();
    this.usedCpuMs += this.cpuMs;
    if (this.failure !== undefined) throw this.failure;
    if (selection.family === 'ip6' || selection.protocol === 'udp') return;
    this.lists++;
    for (const line of this.lines[selection.state]) {
      const entry = parseEntry(`tcp      6 100 ${selection.state} ${line} use=1`, 'ip');
      if (entry !== undefined) take(entry);
    }
  }

  async delete({ first }: StaleGroup, { selection, signal }: { selection: FlowSelection; signal?: AbortSignal }) {
    this.usedCpuMs += this.cpuMs;
    if (this.hangs && signal !== undefined) await once(signal, 'abort');
    if (this.hangs || selection.protocol === 'udp') return 0;
    const lines = this.lines[selection.state];
    const kept = lines.filter((line) => !line.includes(` src=${first.reply.source} dst=10.0.0.1`));
    this.lines[selection.state] = kept;
    return lines.length - kept.length;
  }
}

function start(t: Test, ...objects: readonly ApiObject[]) {
  const engine = engineOf([]);
  let now = 0;
  const conntrack = new FakeConntrack();
  const records: { message: string; details: unknown }[] = [];
  const write = (message: string, details?: unknown) => void records.push({ message, details });
  const sleeps: number[] = [];
  const hooks: { onSleep?: (() => void) | undefined } = {};
  const sleep = async (ms: number) => {
    now += ms;
    sleeps.push(ms);
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
    cpuMs: () => conntrack.usedCpuMs,
  });
  const stop = new AbortController();
  const running = cleaner.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  const settle = async (): Promise<void> => {
    for (let n = 0; n < 40; n++) await tick();
  };
  /** A sync, and the cleanup after it. */
  const sync = async (commit: { isInitial?: boolean; isRepair?: boolean } = {}): Promise<void> => {
    commitAll(engine);
    await cleaner.beforeApply();
    cleaner.committed({ services: engine.changes.take(), isInitial: false, isRepair: false, ...commit });
    await settle();
  };
  put(engine, ...objects);
  return { engine, conntrack, cleaner, records, sleeps, sync, hooks };
}

t.test('AttemptCleaner deletes stale attempts, unanswered and refused ones, and logs it once', async (t) => {
  const { conntrack, records, sync } = start(t, WEB, endpoints(1));
  conntrack.lines.SYN_SENT = [UNTRANSLATED, attemptTo(1), attemptTo(9)];
  conntrack.lines.CLOSE = [UNTRANSLATED, attemptTo(9)];
  await sync();
  t.strictSame(conntrack.lines, { SYN_SENT: [attemptTo(1)], CLOSE: [attemptTo(9)] });
  const reason = 'the attempt to 10.96.0.1:80 is older than this frontend';
  t.strictSame(records, [
    { message: 'deleted stale TCP conntrack entries', details: { count: 3, durationMs: 600, reason } },
  ]);
});

t.test('AttemptCleaner runs after the initial load, a repair and a change of a Service with TCP', async (t) => {
  const udp = service('shop/udp', { spec: { ports: [{ port: 9, protocol: 'UDP' }] } });
  const { engine, conntrack, sync } = start(t, udp);
  await sync();
  t.equal(conntrack.lists, 0, 'no Service with TCP changed');
  await sync({ isInitial: true });
  t.equal(conntrack.lists, 2);
  await sync({ isRepair: true });
  t.equal(conntrack.lists, 4);
  put(engine, WEB);
  await sync();
  t.equal(conntrack.lists, 6);
});

t.test('AttemptCleaner keeps what becomes valid within the grace time', async (t) => {
  const { engine, conntrack, sleeps, sync, hooks } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines.SYN_SENT = [attemptTo(2)];
  hooks.onSleep = () => {
    hooks.onSleep = undefined;
    put(engine, endpoints(1, 2));
    engine.compile();
  };
  sleeps.length = 0;
  await sync({ isRepair: true });
  t.ok(sleeps.includes(300));
  t.strictSame(conntrack.lines.SYN_SENT, [attemptTo(2)]);
});

t.test('AttemptCleaner aborts a deletion only before a sync that restores the endpoint', async (t) => {
  const { engine, conntrack, cleaner, sync } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines.SYN_SENT = [attemptTo(2)];
  conntrack.hangs = true;
  await sync({ isRepair: true });
  await cleaner.beforeApply();
  put(engine, endpoints(1, 2));
  engine.compile();
  await cleaner.beforeApply();
  t.equal(conntrack.lines.SYN_SENT.length, 1);
});

t.test('AttemptCleaner finds an attempt that was refused during the cleanup', async (t) => {
  const { conntrack, sync, hooks } = start(t, WEB, endpoints(1));
  await sync();
  conntrack.lines.SYN_SENT = [attemptTo(2)];
  hooks.onSleep = () => {
    hooks.onSleep = undefined;
    conntrack.lines.CLOSE = [UNTRANSLATED];
  };
  await sync({ isRepair: true });
  t.strictSame(conntrack.lines, { SYN_SENT: [], CLOSE: [] });
});

t.test('AttemptCleaner takes 2 % of a core in the long run, and more after a quiet time', async (t) => {
  const { conntrack, sleeps, sync } = start(t, WEB, endpoints(1));
  await sync();
  sleeps.length = 0;
  conntrack.cpuMs = 200;
  // Four listings take 0.8 s, which are 40 s of a fiftieth.
  for (let n = 0; n < 3; n++) await sync({ isRepair: true });
  t.strictSame(sleeps.slice(0, 2), [500, 80_000 - 500 - 60_000]);
  const paid = 500 + 19_500;
  t.equal(sleeps[2], 120_000 - paid - 60_000);
});

t.test('AttemptCleaner retries after a failure, and logs it once', async (t) => {
  const { conntrack, records, sync } = start(t, WEB, endpoints(1));
  conntrack.lines.SYN_SENT = [UNTRANSLATED];
  conntrack.failure = new ConntrackError('Operation failed', { kind: 'failed' });
  await sync();
  t.match(records, [{ message: 'cannot delete stale TCP conntrack entries', details: { reason: 'Operation failed' } }]);
  t.equal(records.length, 1);
  conntrack.failure = undefined;
  for (let n = 0; n < 40; n++) await tick();
  t.strictSame(conntrack.lines.SYN_SENT, []);
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
