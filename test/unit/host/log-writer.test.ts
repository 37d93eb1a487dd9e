// Tests of src/host/log-writer.ts, with real pipes and a device that is always full.

import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { LogWriter } from '../../../src/host/log-writer.ts';
import { waitUntil } from '../../support/wait-until.ts';

const LINE = `${'x'.repeat(999)}\n`;

/** Both ends of a pipe. The writing end stays open: a writer tries again as long as it has lines. */
function openPipe(t: Test): { readonly reader: number; readonly writer: number } {
  const path = join(t.testdir(), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return { reader, writer };
}

/** What can be read now. */
function readAll(fd: number): string {
  const buffer = Buffer.alloc(64 * 1024);
  let text = '';
  try {
    for (;;) {
      const count = readSync(fd, buffer);
      if (count === 0) return text;
      text += buffer.toString('utf8', 0, count);
    }
  } catch {
    return text;
  }
}

const report = (count: number) => `dropped ${count}\n`;
const times = { retryMs: 5, failedRetryMs: 5 };

t.test('LogWriter writes immediately while there is room, and the rest when the reader reads', async (t) => {
  const { reader, writer } = openPipe(t);
  const log = new LogWriter({ fd: writer, report, ...times });
  log.write('first\n');
  t.equal(readAll(reader), 'first\n');
  for (let count = 0; count < 200; count++) log.write(LINE);
  t.equal(log.dropped, 0);
  let text = '';
  await waitUntil('all lines', () => {
    text += readAll(reader);
    return text.length >= 200 * LINE.length;
  });
  t.equal(text, LINE.repeat(200), 'in order, none twice');
  closeSync(reader);
});

t.test('LogWriter keeps a bounded number of lines for a reader that stalls, and reports the others', async (t) => {
  const { reader, writer } = openPipe(t);
  const log = new LogWriter({ fd: writer, report, maxBytes: 10 * LINE.length, ...times });
  const startedAt = performance.now();
  for (let count = 0; count < 10_000; count++) log.write(LINE);
  t.ok(performance.now() - startedAt < 2_000, 'it does not wait');
  const { dropped } = log;
  t.ok(dropped > 9_000 && dropped < 10_000);
  let text = '';
  await waitUntil('the report', () => {
    text += readAll(reader);
    return text.includes('dropped');
  });
  t.equal(text, `${LINE.repeat(10_000 - dropped)}dropped ${dropped}\n`);
  log.write('flows\n');
  t.equal(readAll(reader), 'flows\n', 'reported once');
  closeSync(reader);
});

t.test('LogWriter survives a full disk and a reader that closed its end', async (t) => {
  const full = openSync('/dev/full', constants.O_WRONLY);
  const { reader, writer } = openPipe(t);
  closeSync(reader);
  for (const fd of [full, writer]) {
    const log = new LogWriter({ fd, report, maxBytes: 3 * LINE.length, ...times });
    for (let count = 0; count < 5; count++) log.write(LINE);
    log.flush();
    t.equal(log.dropped, 2);
  }
});

const PROGRAM = fileURLToPath(new URL('../../support/fakes/log-flood-process.ts', import.meta.url));
const MESSAGES = 20_000;

/** Waits until the program has logged everything although nothing reads the log, and lets it log once more. */
async function flood(child: ChildProcessByStdio<Writable, Readable, Readable | null>): Promise<void> {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value } = await lines.next();
  if (value !== 'logged') throw new Error(`The program said ${value}`);
  child.stdin.write('again\n');
}

/** Both come last, in either order: a short message may still find room. */
const isComplete = (text: string) => text.includes('flows again') && text.includes('dropped');

function check(t: Test, text: string): void {
  const messages = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string; count: number });
  const written = messages.filter(({ msg }) => msg === 'a message').length;
  const reports = messages.filter(({ msg }) => msg === 'log messages dropped');
  t.ok(written > 100, `${written} messages`);
  t.strictSame(
    reports.map(({ count }) => count),
    [MESSAGES - written],
    'every message is written or counted',
  );
  t.equal(messages.length, written + 2);
}

t.test('a log to a socket whose reader stalls does not stop the process', async (t) => {
  const child = spawn(process.execPath, [PROGRAM, String(MESSAGES)], { stdio: ['pipe', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  await flood(child);
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  await waitUntil('the last message', () => isComplete(text));
  check(t, text);
});

t.test('a log to a pipe whose reader stalls does not stop the process', async (t) => {
  const { reader, writer } = openPipe(t);
  const path = `/proc/${process.pid}/fd/${writer}`;
  const script = ['-c', 'exec "$0" "$1" "$2" 2>"$3"', process.execPath, PROGRAM, String(MESSAGES), path];
  const child = spawn('sh', script, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await flood(child);
  let text = '';
  await waitUntil('the last message', () => {
    text += readAll(reader);
    return isComplete(text);
  });
  check(t, text);
  closeSync(reader);
});
