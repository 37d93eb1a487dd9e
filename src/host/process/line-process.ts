// A long-lived child process that is driven by lines of text.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { FloodDetector, LineSplitter, MAX_KEPT_CHARACTERS, tooMuchOutput } from './bounded-output.ts';
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
  /** `state` is the name of the signal, `status 1`, or why it was killed. `stderr` is the end of standard error. */
  | { readonly kind: 'exited'; readonly state: string; readonly stderr: string };

/** Kept of standard error for {@link ProcessExit}. */
const STDERR_TAIL_CHARACTERS = 2000;

/** In a minute, on standard output: ten times what nft prints about a change of a million elements. */
const FLOOD_CHARACTERS = 1024 * 2 ** 20;
/**
 * The same on standard error. An nft session prints 2 MB about a refused transaction with 150 operations, because it repeats
 * the whole transaction for each of them, and may be refused again and again.
 */
const ERROR_FLOOD_CHARACTERS = 256 * 2 ** 20;
/** In a second. A program that prints more waits: reading as fast as one can print makes garbage faster than it is collected. */
const ERROR_RATE_CHARACTERS = 32 * 2 ** 20;
const RATE_PERIOD_MS = 1000;

/** After this time, a killed process waits in the kernel, or children of a killed one have its pipes. */
const KILL_DELAY_MS = 1000;

/** Starts with the constructor, without a shell. All methods may also be called after its end, and then do nothing. */
export class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #end: (exit: ProcessExit) => void;
  #killReason: string | undefined;

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
    else this.#splitOutput(onLine);
    const flood = new FloodDetector(ERROR_FLOOD_CHARACTERS);
    const rate = new FloodDetector(ERROR_RATE_CHARACTERS, { periodMs: RATE_PERIOD_MS });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (rate.add(text.length)) {
        child.stderr.pause();
        setTimeout(() => child.stderr.resume(), RATE_PERIOD_MS).unref();
      }
      if (flood.add(text.length)) this.#killFlooding(ERROR_FLOOD_CHARACTERS);
      stderr = (stderr + text).slice(-STDERR_TAIL_CHARACTERS);
      onStderr?.(text);
    });
    child.on('close', (status, signal) => {
      end({ kind: 'exited', state: this.#killReason ?? signal ?? `status ${status}`, stderr: stderr.trim() });
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

  #splitOutput(onLine: (line: string) => void): void {
    const splitter = new LineSplitter();
    const flood = new FloodDetector(FLOOD_CHARACTERS);
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (this.#killReason !== undefined) return;
      for (const line of splitter.split(text)) onLine(line);
      if (splitter.isTooLong) this.#killFlooding(MAX_KEPT_CHARACTERS);
      else if (flood.add(text.length)) this.#killFlooding(FLOOD_CHARACTERS);
    });
    this.#child.stdout.on('end', () => {
      if (this.#killReason === undefined) splitter.end().forEach(onLine);
    });
  }

  /** A process that prints an endless line, or without end, is not the program that it should be. */
  #killFlooding(maxCharacters: number): void {
    if (this.#killReason !== undefined) return;
    this.#killReason = tooMuchOutput(maxCharacters);
    this.kill('SIGKILL');
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

interface StreamLinesOptions {
  readonly onLine: (line: string) => void;
  /** Ends the program. */
  readonly signal: AbortSignal;
}

/** Runs a program without a shell and passes each line of its output on. Resolves with the reason why it ended. */
export function streamLines(
  command: string,
  args: readonly string[],
  { onLine, signal }: StreamLinesOptions,
): Promise<string> {
  return new Promise((resolve) => {
    const stop = () => child.kill('SIGKILL');
    const child = new LineProcess(command, {
      args,
      onLine,
      onExit: (exit) => {
        signal.removeEventListener('abort', stop);
        resolve(exit.kind === 'error' ? exit.cause.message : exit.stderr || `ended by ${exit.state}`);
      },
    });
    child.closeInput();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
