// The running child processes of this process, and their processor time.

import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process';
import { killChild } from './kill-child.ts';
import { cpuMs } from './process-state.ts';

const running = new Set<ChildProcess>();

/** Call it for each child, so that {@link killChildren} ends it. */
export function trackChild(child: ChildProcess): void {
  if (child.pid === undefined) return;
  running.add(child);
  child.once('exit', () => running.delete(child));
}

/** For the end of this process: a child that does not answer must not survive it. */
export function killChildren(): void {
  for (const child of running) killChild(child, 'SIGKILL');
}

/**
 * The processor time of a child until its standard output ends. It is read then, because the child is still in /proc: Node is
 * notified of its exit later.
 */
export class ChildCpuTime {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #startedAt = performance.now();
  #ms: number | undefined;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stdout.once('end', () => this.read());
  }

  /** Call it before the child is killed: another process may have its output, which then does not end. */
  read(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) this.#ms = cpuMs(pid) ?? this.#ms;
  }

  /** In milliseconds; at most the time that has passed, if it could not be read. */
  get ms(): number {
    return this.#ms ?? performance.now() - this.#startedAt;
  }
}
