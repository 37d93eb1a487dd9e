// Runs a program to its end. Long-lived programs are in line-process.ts.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { LineSplitter, MAX_KEPT_CHARACTERS, maxErrorCharacters } from './bounded-output.ts';
import { ChildCpuTime, trackChild } from './children.ts';
import { killChild } from './kill-child.ts';

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Written to standard input, which is then closed. Parts are written one after the other. */
  readonly input?: string | readonly string[];
  /** The program is killed after this time. */
  readonly timeoutMs: number;
  /** Receives standard output line by line, which is then not collected. The program is killed when it throws. */
  readonly onLine?: (line: string) => void;
  /** The program is killed when it prints more than this that is collected, or a longer line. Default: 8 Mi. */
  readonly maxKeptCharacters?: number;
  /** Receives, once, the processor time in milliseconds: of the program, and of `onLine`. */
  readonly onCpuTime?: (ms: number) => void;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** The program is killed when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** After this time, children of a killed program may still have its pipes, or it waits in the kernel. */
const KILL_DELAY_MS = 1000;

/** The program could not be started, was killed, took too long, or printed too much. */
export class ExecError extends Error {
  override readonly name = 'ExecError';
  /** `not-found`: there is no such program in PATH. */
  readonly kind: 'not-found' | 'failed';

  constructor(message: string, { kind, cause }: { kind: ExecError['kind']; cause?: unknown }) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** A program that has been started, and waits for its input. */
export interface StartedProgram {
  /** Writes the input, waits for the exit, and rejects as {@link exec} does. Call it once. */
  run(options: ExecOptions): Promise<ExecResult>;
  /** Ends a program that is not needed. */
  kill(): void;
}

/**
 * Runs a program without a shell. Resolves with any exit status. Rejects with {@link ExecError}, or with the error
 * that `onLine` threw.
 */
export function exec(command: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  if (options.signal?.aborted) {
    return Promise.reject(new ExecError(`Cannot run "${command}": it was canceled`, { kind: 'failed' }));
  }
  return startProgram(command, args, options).run(options);
}

/** Starts a program whose input follows later: starting takes milliseconds. */
export function startProgram(
  command: string,
  args: readonly string[],
  { env = process.env }: Pick<ExecOptions, 'env'> = {},
): StartedProgram {
  const child = spawn(command, args, { stdio: 'pipe', env });
  trackChild(child);
  // Node's own timeout would keep the process alive after a program that could not be started.
  const kill = (): void => killChild(child, 'SIGKILL');
  const ended = new Promise<[status: number | null, signal: string | null]>((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) => reject(startError(command, cause)));
    child.on('close', (status, signal) => resolve([status, signal]));
  });
  // It may end before `run`.
  ended.catch(() => undefined);
  return {
    kill,
    // Without free file descriptors there are no streams, and `error` is the only event.
    run: (options) =>
      child.pid === undefined ? ended.then(unstarted) : finish(child, { command, args, ended, options }),
  };
}

function unstarted(): never {
  throw new ExecError('Cannot run a program that has not been started', { kind: 'failed' });
}

async function finish(
  child: ChildProcessWithoutNullStreams,
  {
    command,
    args,
    ended,
    options,
  }: {
    readonly command: string;
    readonly args: readonly string[];
    readonly ended: Promise<[status: number | null, signal: string | null]>;
    readonly options: ExecOptions;
  },
): Promise<ExecResult> {
  const { input = [], timeoutMs, signal } = options;
  const overdue = Promise.withResolvers<never>();
  let lastTimer: NodeJS.Timeout | undefined;
  let hasTimedOut = false;
  const cpuTime = new ChildCpuTime(child);
  const kill = (): void => {
    cpuTime.read();
    killChild(child, 'SIGKILL');
    lastTimer ??= setTimeout(() => overdue.reject(failed('it was killed, but does not end')), KILL_DELAY_MS);
  };
  const failed = (state: string) => {
    const reason = hasTimedOut ? `it did not end within ${timeoutMs / 1000} s` : state;
    return new ExecError(`Cannot run "${[command, ...args].join(' ')}": ${reason}`, { kind: 'failed' });
  };
  const timer = setTimeout(() => {
    hasTimedOut = true;
    kill();
  }, timeoutMs);
  signal?.addEventListener('abort', kill);
  const output = collectOutput(child, { ...options, kill });
  writeInput(child.stdin, typeof input === 'string' ? [input] : input);
  try {
    const [status, signalName] = await Promise.race([ended, overdue.promise]);
    const { stdout, stderr, callbackError } = output;
    if (callbackError !== undefined) throw callbackError.error;
    if (output.isTooLong) throw failed('it printed too much');
    if (status !== null) return { status, stdout, stderr };
    throw failed(`ended by ${signalName}`);
  } finally {
    options.onCpuTime?.(cpuTime.ms + output.lineMs);
    clearTimeout(timer);
    clearTimeout(lastTimer);
    signal?.removeEventListener('abort', kill);
    for (const stream of child.stdio) stream?.destroy();
  }
}

function writeInput(stream: Writable, parts: readonly string[]): void {
  // A program that ends before it has read its input is judged by its exit status, not by the broken pipe.
  stream.on('error', () => {});
  for (const part of parts) stream.write(part);
  stream.end();
}

function startError(command: string, cause: NodeJS.ErrnoException): ExecError {
  const kind = cause.code === 'ENOENT' ? 'not-found' : 'failed';
  const reason = kind === 'not-found' ? 'there is no such program in PATH' : cause.message;
  return new ExecError(`Cannot run "${command}": ${reason}`, { kind, cause });
}

interface Output {
  stdout: string;
  stderr: string;
  /** The processor time that `onLine` took. */
  lineMs: number;
  callbackError: { readonly error: unknown } | undefined;
  isTooLong: boolean;
}

/**
 * Collects the output of a child, or passes its lines on until `onLine` throws, which kills the child. So does more output
 * than can be kept: the program is not what it should be.
 */
function collectOutput(
  child: ChildProcessWithoutNullStreams,
  {
    onLine,
    input = '',
    maxKeptCharacters = MAX_KEPT_CHARACTERS,
    kill,
  }: Pick<ExecOptions, 'onLine' | 'input' | 'maxKeptCharacters'> & { readonly kill: () => void },
): Output {
  const output: Output = { stdout: '', stderr: '', lineMs: 0, callbackError: undefined, isTooLong: false };
  const inputCharacters = [input].flat().reduce((sum, part) => sum + part.length, 0);
  const max = { stdout: maxKeptCharacters, stderr: maxErrorCharacters(inputCharacters) };
  const keep = (kind: 'stdout' | 'stderr', text: string) => {
    if (output[kind].length + text.length > max[kind]) stop();
    else output[kind] += text;
  };
  const stop = () => {
    output.isTooLong = true;
    kill();
    // Its children may continue to print.
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => keep('stderr', text));
  child.stdout.setEncoding('utf8');
  if (onLine === undefined) {
    child.stdout.on('data', (text: string) => keep('stdout', text));
    return output;
  }
  const pass = (lines: readonly string[]) => {
    if (output.callbackError !== undefined) return;
    const before = process.threadCpuUsage();
    try {
      for (const line of lines) onLine(line);
    } catch (error) {
      output.callbackError = { error };
      kill();
    }
    const { user, system } = process.threadCpuUsage(before);
    output.lineMs += (user + system) / 1000;
  };
  const splitter = new LineSplitter(maxKeptCharacters);
  child.stdout.on('data', (text: string) => {
    pass(splitter.split(text));
    if (splitter.isTooLong) stop();
  });
  child.stdout.on('end', () => pass(output.isTooLong ? [] : splitter.end()));
  return output;
}
