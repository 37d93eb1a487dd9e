// Tests of src/host/process/children.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { ChildCpuTime } from '../../../../src/host/process/children.ts';

const BUSY_MS = 200;
const BUSY = `const end = process.cpuUsage().user + ${BUSY_MS * 1000}; while (process.cpuUsage().user < end);`;

t.test('ChildCpuTime measures a child, not others that end meanwhile', async (t) => {
  const start = (script: string) => spawn(process.execPath, ['-e', script], { stdio: 'pipe' });
  const idle = start('process.stdin.resume()');
  const idleTime = new ChildCpuTime(idle);
  idle.stdout.resume();
  const busy = start(BUSY);
  const busyTime = new ChildCpuTime(busy);
  busy.stdout.resume();
  await once(busy, 'close');
  t.ok(busyTime.ms >= BUSY_MS - 10, `${busyTime.ms} ms`);
  idle.stdin.end();
  await once(idle, 'close');
  t.ok(idleTime.ms < busyTime.ms, `${idleTime.ms} ms`);
});

t.test('ChildCpuTime is at most the time that has passed, if it cannot be read', async (t) => {
  const startedAt = performance.now();
  const child = spawn('sleep', ['60'], { stdio: 'pipe' });
  const time = new ChildCpuTime(child);
  child.stdout.destroy();
  child.kill('SIGKILL');
  await once(child, 'close');
  const { ms } = time;
  t.ok(ms > 0 && ms <= performance.now() - startedAt, `${ms} ms`);
});
