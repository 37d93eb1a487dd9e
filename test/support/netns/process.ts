// Child processes that cannot hang a test: each has a time limit and its own process group.
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ExecOptions {
  readonly input?: string;
  /** The process group is killed after this time. Default: 60 seconds, which is for emulated machines. */
  readonly timeoutMs?: number;
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code, or 128 plus the signal's number as a shell has it. */
  readonly status: number;
  readonly timedOut: boolean;
}

/** A child whose three streams are pipes. */
export type PipedChild = ChildProcessByStdio<Writable, Readable, Readable>;

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PATH = `${ROOT}.cache/bin:${ROOT}node_modules/.bin:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** Runs a command to its end, whatever its exit status is. Rejects only when it cannot be started. */
export async function execute(
  command: string,
  args: readonly string[],
  { input = '', timeoutMs = 60_000 }: ExecOptions = {},
): Promise<ExecResult> {
  const child = start(command, args);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, timeoutMs);
  child.stdin.end(input);
  const output = Promise.all([collect(child.stdout), collect(child.stderr)]);
  try {
    const [code, signal] = await once(child, 'exit');
    await closed(child, output);
    const [stdout, stderr] = await output;
    return { stdout, stderr, status: code ?? 128 + signalNumber(signal), timedOut };
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a command that must succeed and returns what it printed. */
export async function output(command: string, args: readonly string[], options: ExecOptions = {}): Promise<string> {
  const { stdout, stderr, status, timedOut } = await execute(command, args, options);
  if (status === 0) return stdout;
  const state = timedOut ? 'timed out' : `exit status ${status}`;
  throw new Error(`Cannot run "${[command, ...args].join(' ')}": ${state}\n${stderr}${stdout}`);
}

/** Starts a child in a process group of its own, with the project's tools first in its PATH. */
export function start(command: string, args: readonly string[]): PipedChild {
  const child = spawn(command, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PATH },
  });
  // A child that ends before it has read its input is judged by its exit status, not by our EPIPE.
  child.stdin.on('error', () => {});
  return child;
}

/** Kills a child together with the processes it started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended in the meantime.
  }
}

/** A grandchild that keeps the pipes open must not keep the caller waiting. */
async function closed(child: PipedChild, output: Promise<unknown>): Promise<void> {
  const waiting = new AbortController();
  await Promise.race([output, delay(500, undefined, { signal: waiting.signal }).catch(() => undefined)]);
  waiting.abort();
  child.stdout.destroy();
  child.stderr.destroy();
}

async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once('close', resolve));
  return Buffer.concat(chunks).toString();
}

function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}
