// The running child processes of this process.

import type { ChildProcess } from 'node:child_process';
import { killChild } from './kill-child.ts';

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
