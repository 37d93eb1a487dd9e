// Tests of src/host/process/children.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { trackCpuTime } from '../../../../src/host/process/children.ts';

const BUSY_MS = 200;
const BUSY = `const end = process.cpuUsage().user + ${BUSY_MS * 1000}; while (process.cpuUsage().user < end);`;

t.test('trackCpuTime() measures a child, not others that end meanwhile', async (t) => {
  const start = (script: string) => spawn(process.execPath, ['-e', script], { stdio: 'pipe' });
  const idle = start('process.stdin.resume()');
  const idleMs = trackCpuTime(idle);
  idle.stdout.resume();
  const busy = start(BUSY);
  const busyMs = trackCpuTime(busy);
  busy.stdout.resume();
  await once(busy, 'close');
  t.ok(busyMs() >= BUSY_MS - 10, `${busyMs()} ms`);
  idle.stdin.end();
  await once(idle, 'close');
  t.ok(idleMs() < busyMs(), `${idleMs()} ms`);
});

t.test('trackCpuTime() is at most the time that has passed', async (t) => {
  const startedAt = performance.now();
  const child = spawn('sleep', ['60'], { stdio: 'pipe' });
  const ms = trackCpuTime(child);
  child.stdout.destroy();
  child.kill('SIGKILL');
  await once(child, 'close');
  t.ok(ms() <= performance.now() - startedAt);
});
