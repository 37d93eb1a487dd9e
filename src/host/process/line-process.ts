// A long-lived child process that is driven by lines of text.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { trackChild } from './children.ts';
import { killChild } from './kill-child.ts';

export interface LineProcessOptions {
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Receives standard output line by line; without it, output is discarded. */
  readonly onLine?: (line: string) => void;
  /** Receives standard error as it arrives. */
  readonly onStderr?: (text: string) => void;
  /** Called once, after the last line: the process has ended or could not be started. */
  readonly onExit: (exit: ProcessExit) => void;
}

/** How a process ended. */
export type ProcessExit =
  /** It could not be started. */
  | { readonly kind: 'error'; readonly cause: NodeJS.ErrnoException }
  /** `state` is the name of the signal, or `status 1`. `stderr` is the end of standard error. */
  | { readonly kind: 'exited'; readonly state: string; readonly stderr: string };

/** Kept of standard error for {@link ProcessExit}. */
const STDERR_TAIL_CHARACTERS = 2000;

/** After this time, a killed process waits in the kernel, or children of a killed one have its pipes. */
const KILL_DELAY_MS = 1000;

/** Starts with the constructor, without a shell. All methods may also be called after its end, and then do nothing. */
export class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #end: (exit: ProcessExit) => void;

  constructor(command: string, { args, env = process.env, onLine, onStderr, onExit }: LineProcessOptions) {
    const child = spawn(command, args, { stdio: 'pipe', env });
    this.#child = child;
    trackChild(child);
    let stderr = '';
    let hasEnded = false;
    const end = (exit: ProcessExit): void => {
      if (hasEnded) return;
      hasEnded = true;
      onExit(exit);
    };
    this.#end = end;
    child.on('error', (cause) => end({ kind: 'error', cause }));
    // Without free file descriptors there are no streams, and `error` is the only event.
    if (child.pid === undefined) return;
    child.stdin.on('error', () => {});
    if (onLine === undefined) child.stdout.resume();
    else createInterface({ input: child.stdout }).on('line', onLine);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_TAIL_CHARACTERS);
      onStderr?.(text);
    });
    child.on('close', (status, signal) => {
      end({ kind: 'exited', state: signal ?? `status ${status}`, stderr: stderr.trim() });
    });
  }

  /** `undefined` when the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Writes complete lines to standard input. */
  write(text: string): void {
    if (this.pid !== undefined) this.#child.stdin.write(text);
  }

  closeInput(): void {
    if (this.pid !== undefined) this.#child.stdin.end();
  }

  /** After SIGKILL, the end is reported within a second, even if the process cannot end or others keep its pipes. */
  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    killChild(this.#child, signal);
    if (signal === 'SIGKILL') setTimeout(() => this.#release(), KILL_DELAY_MS).unref();
  }

  #release(): void {
    if (this.pid === undefined) return;
    for (const stream of this.#child.stdio) stream?.destroy();
    const state = this.#child.signalCode ?? 'SIGKILL, but still there';
    this.#end({ kind: 'exited', state, stderr: '' });
  }

  /** Lets this process exit while the child is running. */
  unref(): void {
    this.#child.unref();
  }
}
