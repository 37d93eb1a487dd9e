// Runs a program to its end. Long-lived programs are in line-process.ts.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { killChild } from './kill-child.ts';

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  /** The program is killed after this time. */
  readonly timeoutMs: number;
  /** Receives standard output line by line, which is then not collected. The program is killed when it throws. */
  readonly onLine?: (line: string) => void;
  /** The program is killed when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** The program could not be started, was killed, or took too long. */
export class ExecError extends Error {
  override readonly name = 'ExecError';
  /** `not-found`: there is no such program in PATH. */
  readonly kind: 'not-found' | 'failed';

  constructor(message: string, { kind, cause }: { kind: ExecError['kind']; cause?: unknown }) {
    super(message, { cause });
    this.kind = kind;
  }
}

/**
 * Runs a program without a shell. Resolves with any exit status. Rejects with {@link ExecError}, or with the error
 * that `onLine` threw.
 */
export function exec(command: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { input = '', timeoutMs, signal } = options;
  if (signal?.aborted) {
    return Promise.reject(new ExecError(`Cannot run "${command}": it was canceled`, { kind: 'failed' }));
  }
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'pipe' });
    // Node's own timeout would keep the process alive after a program that could not be started.
    const kill = (): void => killChild(child, 'SIGKILL');
    const timer = setTimeout(kill, timeoutMs);
    signal?.addEventListener('abort', kill);
    const cleanUp = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
    };
    child.on('error', (cause: NodeJS.ErrnoException) => {
      cleanUp();
      reject(startError(command, cause));
    });
    // Without free file descriptors there are no streams, and `error` is the only event.
    if (child.pid === undefined) return;
    const output = collectOutput(child, options);
    child.on('close', (status, signalName) => {
      cleanUp();
      const { stdout, stderr, callbackError } = output;
      if (callbackError !== undefined) reject(callbackError.error);
      else if (status !== null) resolve({ status, stdout, stderr });
      else
        reject(new ExecError(`Cannot run "${command} ${args.join(' ')}": ended by ${signalName}`, { kind: 'failed' }));
    });
    // A program that ends before it has read its input is judged by its exit status, not by the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

function startError(command: string, cause: NodeJS.ErrnoException): ExecError {
  const kind = cause.code === 'ENOENT' ? 'not-found' : 'failed';
  const reason = kind === 'not-found' ? 'there is no such program in PATH' : cause.message;
  return new ExecError(`Cannot run "${command}": ${reason}`, { kind, cause });
}

interface Output {
  stdout: string;
  stderr: string;
  callbackError: { readonly error: unknown } | undefined;
}

/** Collects the output of a child, or passes its lines on until `onLine` throws, which kills the child. */
function collectOutput(child: ChildProcessWithoutNullStreams, { onLine }: Pick<ExecOptions, 'onLine'>): Output {
  const output: Output = { stdout: '', stderr: '', callbackError: undefined };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  child.stdout.setEncoding('utf8');
  if (onLine === undefined) {
    child.stdout.on('data', (text: string) => {
      output.stdout += text;
    });
    return output;
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (output.callbackError !== undefined) return;
    try {
      onLine(line);
    } catch (error) {
      output.callbackError = { error };
      killChild(child, 'SIGKILL');
    }
  });
  return output;
}
