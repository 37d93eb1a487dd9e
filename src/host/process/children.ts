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
 * Measures the processor time of a child, in milliseconds, until its standard output ends. It is read then, because the child
 * is still in /proc: Node is notified of its exit later. If it cannot be read, the time that has passed is the limit.
 */
export function trackCpuTime(child: ChildProcessWithoutNullStreams): () => number {
  const startedAt = performance.now();
  let ms: number | undefined;
  child.stdout.once('end', () => {
    ms = child.pid === undefined || child.exitCode !== null ? undefined : cpuMs(child.pid);
  });
  return () => ms ?? performance.now() - startedAt;
}
