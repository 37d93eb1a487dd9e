// Tests of src/host/process/process-state.ts.

import { spawn } from 'node:child_process';
import t from 'tap';
import {
  cpuMs,
  describeProcessState,
  readNetlinkReader,
  waitedForCpuMs,
} from '../../../../src/host/process/process-state.ts';
import { poll } from '../../../support/wait-until.ts';

t.test('describeProcessState() distinguishes a process that sleeps, one that is stopped, and none', async (t) => {
  const child = spawn('sleep', ['60'], { argv0: 'a) T (b' });
  t.teardown(() => child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const becomes = (expected: string | undefined) =>
    poll(async () => describeProcessState(pid), {
      until: (state) => state === expected,
      failure: String,
      timeoutMs: 30_000,
    });
  t.equal(await becomes('is idle'), 'is idle');
  t.strictSame(readNetlinkReader(pid), { state: 'sleeping', queuedBytes: 0 });
  child.kill('SIGSTOP');
  t.equal(await becomes('is stopped'), 'is stopped');
  t.strictSame(readNetlinkReader(pid), { state: 'stopped', queuedBytes: 0 });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  t.equal(await becomes(undefined), undefined);
  t.equal(readNetlinkReader(pid), undefined);
});

t.test('waitedForCpuMs() is a number, also for a process that does not exist', async (t) => {
  t.ok(waitedForCpuMs('self') >= 0);
  t.equal(waitedForCpuMs(2 ** 22 + 1), 0);
});

t.test('cpuMs() is the processor time of a process, if there is one', async (t) => {
  const before = cpuMs(process.pid) ?? 0;
  const end = process.cpuUsage().user + 50_000;
  while (process.cpuUsage().user < end);
  t.ok((cpuMs(process.pid) ?? 0) - before > 40);
  t.equal(cpuMs(2 ** 22 + 1), undefined);
});
