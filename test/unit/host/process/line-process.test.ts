// Tests of src/host/process/line-process.ts, with programs that every system has.

import t from 'tap';
import {
  LineProcess,
  type LineProcessOptions,
  type ProcessExit,
  streamLines,
} from '../../../../src/host/process/line-process.ts';

/** Runs shell code. `exit` resolves with how it ended. */
function shell(code: string, options: Partial<LineProcessOptions> = {}) {
  const { promise: exit, resolve: onExit } = Promise.withResolvers<ProcessExit>();
  return { child: new LineProcess('sh', { args: ['-c', code], onExit, ...options }), exit };
}

t.test('LineProcess answers lines with lines, and ends with its input', async (t) => {
  const lines: string[] = [];
  const { child, exit } = shell('while read -r line; do echo "got $line"; done', {
    onLine: (line) => lines.push(line),
  });
  t.type(child.pid, 'number');
  child.write('one\ntwo\n');
  child.closeInput();
  t.strictSame(await exit, { kind: 'exited', state: 'status 0', stderr: '' });
  t.strictSame(lines, ['got one', 'got two']);
});

t.test('LineProcess reports the status and the end of standard error', async (t) => {
  let errors = '';
  const { exit } = shell('printf %3000s x >&2; echo why >&2; exit 3', {
    onStderr: (text) => {
      errors += text;
    },
  });
  const end = await exit;
  t.match(end, { kind: 'exited', state: 'status 3', stderr: /x *why$/ });
  t.ok(end.kind === 'exited' && end.stderr.length < 2000, 'only the end is kept');
  t.equal(errors.length, 3004, 'the listener gets all of it');
});

t.test('LineProcess.kill() ends it with a signal', async (t) => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const { child, exit } = shell('exec sleep 600');
    child.kill(signal);
    t.match(await exit, { kind: 'exited', state: signal });
    child.kill(signal);
    child.write('more\n');
    child.closeInput();
  }
});

t.test('LineProcess passes its environment on', async (t) => {
  const lines: string[] = [];
  const { exit } = shell('echo "$COLOR"', {
    env: { ...process.env, COLOR: 'red' },
    onLine: (line) => lines.push(line),
  });
  await exit;
  t.strictSame(lines, ['red']);
});

t.test('a program that does not exist is an error, and calls after it do nothing', async (t) => {
  const { promise, resolve } = Promise.withResolvers<ProcessExit>();
  const child = new LineProcess('/no/such/program', { args: [], onExit: resolve });
  t.equal(child.pid, undefined);
  child.write('line\n');
  child.closeInput();
  child.kill();
  t.match(await promise, { kind: 'error', cause: { code: 'ENOENT' } });
});

t.test('LineProcess.kill() with SIGKILL reports the end although a child of the program has its pipes', async (t) => {
  const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
  const { child, exit } = shell('sleep 20 & echo started; wait', { onLine: onStarted });
  await started;
  const startedAt = performance.now();
  child.kill('SIGKILL');
  t.match(await exit, { kind: 'exited', state: 'SIGKILL' });
  t.ok(performance.now() - startedAt < 15_000);
});

t.test('LineProcess kills a program that prints an endless line', async (t) => {
  const lines: string[] = [];
  const { exit } = shell("echo one; exec tr '\\0' x </dev/zero", { onLine: (line) => lines.push(line) });
  t.match(await exit, { kind: 'exited', state: 'it printed more than 8 MiB' });
  t.equal(lines.length, 1, 'no part of it');
});

t.test('LineProcess kills a program that prints errors without end', async (t) => {
  const { exit } = shell('exec yes >&2');
  t.match(await exit, { kind: 'exited', state: 'it printed more than 256 MiB' });
  const { exit: ended } = shell('yes refused | head -c 40000000 >&2');
  t.match(await ended, { kind: 'exited', state: 'status 0' }, 'a session whose transactions are refused prints much');
});

const NEVER = new AbortController().signal;

t.test('streamLines() passes lines on and resolves with the reason of the end', async (t) => {
  const lines: string[] = [];
  const onLine = (line: string): void => void lines.push(line);
  const run = (code: string) => streamLines('sh', ['-c', code], { onLine, signal: NEVER });
  t.equal(await run('echo one; echo two; echo failed >&2; exit 1'), 'failed');
  t.equal(await run('exit 3'), 'ended by status 3');
  t.equal(await run('kill -9 $$'), 'ended by SIGKILL');
  t.strictSame(lines, ['one', 'two']);
});

t.test('streamLines() resolves with the reason why the program cannot be started', async (t) => {
  t.match(await streamLines('/no/such/program', [], { onLine: () => {}, signal: NEVER }), /ENOENT/);
});

t.test('streamLines() ends the program when the signal aborts', async (t) => {
  const run = (signal: AbortSignal) => streamLines('sleep', ['600'], { onLine: () => {}, signal });
  t.equal(await run(AbortSignal.abort()), 'ended by SIGKILL');
  t.equal(await run(AbortSignal.timeout(20)), 'ended by SIGKILL');
});

t.test('streamLines() closes standard input', async (t) => {
  t.equal(await streamLines('cat', [], { onLine: () => {}, signal: NEVER }), 'ended by status 0');
});
