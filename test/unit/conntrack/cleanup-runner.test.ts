// Tests of src/conntrack/cleanup-runner.ts.

import { setImmediate as tick } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { CleanupRunner } from '../../../src/conntrack/cleanup-runner.ts';
import { ConntrackError } from '../../../src/conntrack/conntrack.ts';
import type { Deleted } from '../../../src/conntrack/stale-deletions.ts';

const NOTHING: Deleted = { deleted: { ip: 0, ip6: 0 }, reason: undefined };

async function nothing(): Promise<void> {}

/** A runner with a clock that only its own pauses move, and cleanups that take no time but use processor time. */
function start(t: Test, { delayMs = 0, cpuShare = 0.02 } = {}) {
  let now = 0;
  const conntrack = { listFlows: nothing, listAttempts: nothing, delete: async () => 0, cpuMs: 0 };
  const starts: number[] = [];
  const reports: unknown[] = [];
  const outcome: { cpuMs: number; result: Deleted; error?: Error | undefined } = { cpuMs: 0, result: NOTHING };
  const sleep = async (ms: number) => {
    now += ms;
    await tick();
  };
  const runner = new CleanupRunner({
    conntrack,
    clock: { now: () => now, wallTime: (at: number) => at, sleep, random: () => 0 },
    cleanUp: async (requestedAt) => {
      starts.push(requestedAt);
      conntrack.cpuMs += outcome.cpuMs;
      const { error } = outcome;
      outcome.error = undefined;
      if (error !== undefined) throw error;
      return outcome.result;
    },
    delayMs,
    cpuShare,
    report: {
      deleted: (fields) => reports.push({ deleted: fields }),
      failed: (fields) => reports.push({ failed: fields }),
      missing: (fields) => reports.push({ missing: fields }),
      succeeded: () => reports.push('succeeded'),
    },
    onCleanup: (result) => reports.push(result),
    onFailure: () => reports.push('failure'),
  });
  const stop = new AbortController();
  const running = runner.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  const settle = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) await tick();
  };
  const request = async (): Promise<void> => {
    runner.request();
    await settle();
  };
  const wait = (ms: number): void => {
    now += ms;
  };
  return { runner, starts, reports, outcome, request, settle, wait };
}

t.test('CleanupRunner takes its share of a core in the long run, and more after a quiet time', async (t) => {
  const { starts, outcome, request, wait } = start(t);
  outcome.cpuMs = 800;
  for (let n = 0; n < 5; n++) await request();
  // 1.2 s are free; each run then has to wait until the earlier ones are paid for, at 50 ms for each.
  t.strictSame(starts, [0, 500, 20_000, 60_000, 100_000]);
  wait(1_000_000);
  const quietUntil = 1_000_000 + 140_000;
  for (let n = 0; n < 3; n++) await request();
  t.strictSame(
    starts.slice(5).map((at) => at - quietUntil),
    [0, 500, 20_000],
  );
});

t.test('CleanupRunner starts at most twice a second', async (t) => {
  const { starts, outcome, request } = start(t, { cpuShare: 0.1 });
  outcome.cpuMs = 10;
  for (let n = 0; n < 4; n++) await request();
  t.strictSame(starts, [0, 500, 1000, 1500]);
});

t.test('CleanupRunner passes the time of the request, and measures without the delay', async (t) => {
  const { starts, reports, outcome, request } = start(t, { delayMs: 300 });
  outcome.result = { deleted: { ip: 1, ip6: 2 }, reason: 'removed' };
  await request();
  t.strictSame(starts, [0]);
  t.strictSame(reports, [
    { durationMs: 0, deleted: { ip: 1, ip6: 2 } },
    { deleted: { count: 3, durationMs: 0, reason: 'removed' } },
    'succeeded',
  ]);
});

t.test('CleanupRunner retries after a failure, and counts what it took', async (t) => {
  const { starts, reports, outcome, request, settle } = start(t);
  outcome.cpuMs = 4000;
  outcome.error = new ConntrackError('Operation failed', { kind: 'failed' });
  await request();
  await settle();
  t.match(reports, [
    'failure',
    { failed: { reason: 'Operation failed' } },
    { durationMs: 0, deleted: { ip: 0, ip6: 0 } },
    'succeeded',
  ]);
  t.strictSame(starts, [0, 140_000]);
});

t.test('CleanupRunner does not retry without the program', async (t) => {
  const { starts, reports, outcome, request, settle } = start(t);
  outcome.error = new ConntrackError('there is no such program', { kind: 'missing' });
  await request();
  await settle();
  t.strictSame(reports, ['failure', { missing: { reason: 'there is no such program' } }]);
  t.equal(starts.length, 1);
});
