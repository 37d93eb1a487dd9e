// Running a program and waiting for its end: whoever lives longer is in `follow.ts`, and the nft session.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  /** The program is killed when it takes longer. */
  readonly timeoutMs: number;
  /** Takes standard output line by line instead of gathering it. When it throws, the program is killed. */
  readonly onLine?: (line: string) => void;
  /** The program is killed when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** The program could not be started, was killed, or took too long. */
export class ExecError extends Error {
  override readonly name = 'ExecError';
  /** `not-found` when there is no such program. */
  readonly kind: 'not-found' | 'failed';

  constructor(message: string, { kind, cause }: { kind: ExecError['kind']; cause?: unknown }) {
    super(message, { cause });
    this.kind = kind;
  }
}

/**
 * Runs a program without a shell. Resolves with its exit status whatever that is; rejects with {@link ExecError}, or what
 * `onLine` has thrown.
 */
export function exec(command: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  const { input = '', timeoutMs, onLine, signal } = options;
  if (signal?.aborted) {
    return Promise.reject(new ExecError(`Cannot run "${command}": it is not wanted any more`, { kind: 'failed' }));
  }
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'pipe' });
    // Node's own timeout would keep the process alive after a program that could not be started.
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(kill, timeoutMs);
    signal?.addEventListener('abort', kill);
    const cleanUp = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
    };
    child.on('error', (cause: NodeJS.ErrnoException) => {
      cleanUp();
      const notFound = cause.code === 'ENOENT';
      const reason = notFound ? 'there is no such program in PATH' : cause.message;
      reject(new ExecError(`Cannot run "${command}": ${reason}`, { kind: notFound ? 'not-found' : 'failed', cause }));
    });
    // One that cannot be started for want of file descriptors has no streams, and no end besides the error.
    if (child.pid === undefined) return;
    let [stdout, stderr] = ['', ''];
    let callbackError: { readonly error: unknown } | undefined;
    child.stdout.setEncoding('utf8');
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    if (onLine === undefined) {
      child.stdout.on('data', (text: string) => {
        stdout += text;
      });
    } else {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (callbackError !== undefined) return;
        try {
          onLine(line);
        } catch (error) {
          callbackError = { error };
          kill();
        }
      });
    }
    child.on('close', (status, signalName) => {
      cleanUp();
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
