// Tests of src/host/process/end-process.ts and children.ts, in processes of their own.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { loadFactor } from '../../../support/load-factor.ts';
import { poll } from '../../../support/wait-until.ts';

const PROGRAM = fileURLToPath(new URL('../../../support/fakes/ending-process.ts', import.meta.url));

/** Runs a program that ends itself with status 3. Resolves with its status and the milliseconds from its announcement. */
async function run(t: Test, argument: string): Promise<{ status: number; ms: number; output: string }> {
  const child = spawn(process.execPath, [PROGRAM, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const [output] = await once(child.stdout, 'data');
  const startedAt = performance.now();
  const [status] = await once(child, 'exit');
  clearTimeout(timer);
  return { status, ms: performance.now() - startedAt, output: String(output) };
}

t.test('endProcess() ends although a thread waits for a pipe', async (t) => {
  const pipe = join(t.testdir(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const { status, ms } = await run(t, pipe);
  t.equal(status, 3);
  t.ok(ms < 1000 * loadFactor(), `${ms} ms`);
});

t.test('endProcess() ends the children', async (t) => {
  const { status, output } = await run(t, 'child');
  t.equal(status, 3);
  const isAlive = (): boolean => {
    try {
      return process.kill(Number(output), 0);
    } catch {
      return false;
    }
  };
  await poll(isAlive, { until: (alive) => !alive, failure: () => 'the child lives', timeoutMs: 5_000 });
});
