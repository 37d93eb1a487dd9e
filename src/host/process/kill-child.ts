// Sends a signal to a child process, and to no other.

import type { ChildProcess } from 'node:child_process';

/**
 * Does nothing for a child that could not be started. Node 24 signals whatever number lies in the memory of such a
 * child until its `error` event: at worst 0 or -1, which mean the own process group and every process.
 */
export function killChild(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) child.kill(signal);
}
