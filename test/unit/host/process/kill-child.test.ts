// Tests of src/host/process/kill-child.ts, with programs that every system has.

import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { killChild } from '../../../../src/host/process/kill-child.ts';
import { LineProcess, streamLines } from '../../../../src/host/process/line-process.ts';

t.test('killChild() ends a child with the signal', async (t) => {
  const child = spawn('sleep', ['600']);
  killChild(child, 'SIGKILL');
  t.strictSame(await once(child, 'exit'), [null, 'SIGKILL']);
});

t.test('no signal is sent for a child that could not be started', async (t) => {
  const calls = t.capture(ChildProcess.prototype, 'kill', () => true);
  const child = spawn('/no/such/program');
  killChild(child, 'SIGKILL');
  await once(child, 'error');
  await new Promise<unknown>((onExit) => new LineProcess('/no/such/program', { args: [], onExit }).kill());
  await streamLines('/no/such/program', [], { onLine: () => {}, signal: AbortSignal.abort() });
  t.strictSame(calls(), []);
});
