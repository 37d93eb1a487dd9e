// The running child processes of this process.

import type { ChildProcess } from 'node:child_process';
import { killChild } from './kill-child.ts';
import { statFields } from './process-state.ts';

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

/** The kernel counts in hundredths of a second for programs, on every architecture. */
const MS_PER_TICK = 10;

/** What all children that have ended took so far, in user and kernel mode, in milliseconds; 0 if it is not known. */
export function childrenCpuMs(): number {
  // The fields 16 and 17.
  const [cutime, cstime] = statFields('self').slice(13, 15);
  return (Number(cutime) + Number(cstime)) * MS_PER_TICK || 0;
}
