// Tests of src/host/process/stream-lines.ts, with programs that every system has.

import t from 'tap';
import { streamLines } from '../../../../src/host/process/stream-lines.ts';

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
