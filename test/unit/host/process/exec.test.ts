// Tests of src/host/process/exec.ts, with programs that every system has.

import { fileURLToPath } from 'node:url';
import t from 'tap';
import { exec } from '../../../../src/host/process/exec.ts';

const TIMEOUT = { timeoutMs: 20_000 };
const FD_EXHAUSTION_PROGRAM = fileURLToPath(
  new URL('../../../support/fakes/fd-exhaustion-process.ts', import.meta.url),
);

t.test('exec() resolves with the output, whatever the exit status is', async (t) => {
  const result = await exec('sh', ['-c', 'cat; echo no >&2; exit 3'], { ...TIMEOUT, input: 'yes' });
  t.strictSame(result, { status: 3, stdout: 'yes', stderr: 'no\n' });
});

t.test('exec() distinguishes missing programs from failed ones', async (t) => {
  await t.rejects(exec('/no/such/program', [], TIMEOUT), { name: 'ExecError', kind: 'not-found' });
  const killed = { name: 'ExecError', kind: 'failed' };
  await t.rejects(exec('sleep', ['600'], { timeoutMs: 10 }), killed);
  await t.rejects(exec('sleep', ['600'], { ...TIMEOUT, signal: AbortSignal.timeout(10) }), killed);
  await t.rejects(exec('sleep', ['600'], { ...TIMEOUT, signal: AbortSignal.abort() }), killed);
});

t.test('exec() rejects with an error of onLine and kills the program', async (t) => {
  const lines: string[] = [];
  const onLine = (line: string): void => {
    lines.push(line);
    throw new Error(`Cannot read "${line}"`);
  };
  await t.rejects(exec('sh', ['-c', 'echo one; echo two; exec sleep 600'], { ...TIMEOUT, onLine }), {
    message: 'Cannot read "one"',
  });
  t.strictSame(lines, ['one']);
});

t.test('exec() passes lines on, also one that arrives in parts, and the last one without its end', async (t) => {
  const lines: string[] = [];
  let cpuMs = 0;
  const options = { ...TIMEOUT, onLine: (line: string) => lines.push(line), onCpuTime: (ms: number) => (cpuMs += ms) };
  const { stdout } = await exec('sh', ['-c', 'printf "one\\n\\ntw"; sleep 0.05; printf "o\\nthree"'], options);
  t.strictSame([lines, stdout], [['one', '', 'two', 'three'], '']);
  t.ok(cpuMs > 0);
});

t.test('exec() reports the processor time of a program that was killed', async (t) => {
  let cpuMs = 0;
  const options = { timeoutMs: 300, onCpuTime: (ms: number) => (cpuMs += ms) };
  await t.rejects(exec('sh', ['-c', 'while :; do :; done'], options), { name: 'ExecError', kind: 'failed' });
  t.ok(cpuMs > 0);
});

t.test('exec() does not take the wait for a hanging program as its processor time', async (t) => {
  let cpuMs = 0;
  const options = { timeoutMs: 500, onCpuTime: (ms: number) => (cpuMs += ms) };
  await t.rejects(exec('sh', ['-c', 'sleep 20; true'], options), { name: 'ExecError', kind: 'failed' });
  t.ok(cpuMs > 0 && cpuMs < 400, `${cpuMs} ms`);
});

t.test('a lack of file descriptors fails only the program to be started', async (t) => {
  const command = `ulimit -n 60; exec "${process.execPath}" "${FD_EXHAUSTION_PROGRAM}"`;
  const { stdout, stderr } = await exec('sh', ['-c', command], TIMEOUT);
  t.strictSame(
    JSON.parse(stdout || '[]'),
    [
      'ExecError: Cannot run "true": spawn true EMFILE',
      'spawn true EMFILE',
      `LoaderError: Cannot run loader "cat": spawn cat EMFILE`,
      'NftOutcomeUnknown: Cannot run the nft session: spawn cat EMFILE',
      'NftOutcomeUnknown: Cannot run the nft session: spawn cat EMFILE',
      "NftOutcomeUnknown: Cannot run the nft session: status 1 cat: invalid option -- 'i'\nTry 'cat --help' for more information.",
    ],
    stderr,
  );
});

t.test('exec() does not wait for children of a killed program that have its pipes', async (t) => {
  const startedAt = performance.now();
  await t.rejects(exec('sh', ['-c', 'sleep 20; true'], { timeoutMs: 100 }), {
    name: 'ExecError',
    kind: 'failed',
    message: 'Cannot run "sh -c sleep 20; true": it did not end within 0.1 s',
  });
  const abort = new AbortController();
  const options = { timeoutMs: 60_000, signal: abort.signal, onLine: () => abort.abort() };
  await t.rejects(exec('sh', ['-c', 'sleep 20 & echo started; wait'], options), {
    message: 'Cannot run "sh -c sleep 20 & echo started; wait": it was killed, but does not end',
  });
  t.ok(performance.now() - startedAt < 15_000);
});

t.test('exec() kills a program that prints more than can be kept', async (t) => {
  const tooMuch = { name: 'ExecError', kind: 'failed', message: /: it printed too much$/ };
  await t.rejects(exec('yes', [], TIMEOUT), tooMuch);
  await t.rejects(exec('sh', ['-c', 'exec yes >&2'], TIMEOUT), tooMuch);
  const lines: string[] = [];
  const endlessLine = exec('tr', ['\\0', 'x'], { ...TIMEOUT, onLine: (line) => lines.push(line) });
  await t.resolves(endlessLine, 'its input is empty');
  const fromZeros = exec('sh', ['-c', "exec tr '\\0' x </dev/zero"], {
    ...TIMEOUT,
    onLine: (line) => lines.push(line),
  });
  await t.rejects(fromZeros, tooMuch);
  t.equal(lines.length, 0);
});
