// Child processes with a time limit and a process group, so that they cannot hang a test.

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ExecOptions {
  readonly input?: string;
  /** The process group is killed after this time. Default: 60 seconds, which is sufficient for emulated machines. */
  readonly timeoutMs?: number;
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code, or 128 plus the signal number, as in a shell. */
  readonly status: number;
  readonly timedOut: boolean;
}

/** A child with pipes as its three standard streams. */
export type PipedChild = ChildProcessByStdio<Writable, Readable, Readable>;

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PATH = `${ROOT}.cache/bin:${ROOT}node_modules/.bin:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** Runs a command and waits for its exit, whatever the status is. Rejects only if it cannot be started. */
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

/** Runs a command that must succeed, and returns its output. */
export async function output(command: string, args: readonly string[], options: ExecOptions = {}): Promise<string> {
  const { stdout, stderr, status, timedOut } = await execute(command, args, options);
  if (status === 0) return stdout;
  const state = timedOut ? 'timed out' : `exit status ${status}`;
  throw new Error(`Cannot run "${[command, ...args].join(' ')}": ${state}\n${stderr}${stdout}`);
}

/** Starts a child in a new process group, with the project's tools first in PATH. */
export function start(command: string, args: readonly string[]): PipedChild {
  const child = spawn(command, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PATH },
  });
  // If a child exits before reading its input, its exit status counts, not our EPIPE.
  child.stdin.on('error', () => {});
  return child;
}

/** Kills a child and the processes that it started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It exited in the meantime.
  }
}

/** Does not wait for grandchildren that keep the pipes open. */
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
