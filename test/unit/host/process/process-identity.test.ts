// Tests of src/host/process/process-identity.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import t from 'tap';
import { identify, isAlive, pidNamespace, visiblePid } from '../../../../src/host/process/process-identity.ts';
import { poll } from '../../../support/wait-until.ts';

t.test('identify() distinguishes a process from a later one with the same number', async (t) => {
  const child = spawn('sleep', ['60']);
  t.teardown(() => child.kill('SIGKILL'));
  const identity = await identify(child.pid ?? 0);
  t.ok(identity !== undefined && identity.startTime > 0);
  if (identity === undefined) return;
  t.ok(await isAlive(identity));
  t.notOk(await isAlive({ ...identity, startTime: identity.startTime - 1 }));
  child.kill('SIGSTOP');
  t.ok(await isAlive(identity), 'a stopped process lives');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.notOk(await isAlive(identity));
  t.equal(await identify(child.pid ?? 0), undefined);
});

t.test('identify() reads a name with spaces and parentheses', async (t) => {
  const child = spawn('sh', ['-c', 'printf "a) R (b" >/proc/self/comm; exec cat'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  t.ok(((await identify(child.pid ?? 0))?.startTime ?? 0) > 0);
});

t.test('visiblePid() finds a process of another PID namespace', async (t) => {
  const inner = 'readlink /proc/self/ns/pid; exec sleep 60';
  const child = spawn('unshare', ['--pid', '--fork', '--kill-child', 'sh', '-c', inner]);
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const namespace = Number(String(line).replaceAll(/\D/g, ''));
  const own = Number(readlinkSync('/proc/self/ns/pid').replaceAll(/\D/g, ''));
  t.equal(await pidNamespace(), own);
  t.equal(await visiblePid(process.pid, own), process.pid);
  const visible = await poll(() => visiblePid(1, namespace), {
    until: (pid) => pid !== undefined,
    failure: () => 'not found',
    timeoutMs: 5_000,
  });
  t.ok(visible !== undefined && visible > 1);
  t.equal(await visiblePid(4_000_000, namespace), undefined);
});
