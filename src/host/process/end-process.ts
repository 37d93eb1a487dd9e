// Ends this process, whatever it is waiting for.

import { killChildren } from './children.ts';

/** Work of the thread pool, as Node.js names it. */
const POOL_WORK = /^(FSReq|GetAddrInfoReq|GetNameInfoReq|ZlibWork|.*Request$|FileHandle)/;

/**
 * Ends the process with this exit status, and its children. `process.exit` waits for the threads of the pool: if one
 * waits for a file system that does not answer, or for the reader of a pipe, it never returns. The process is then replaced by
 * a program that does nothing but exit, which ends all threads and works for the first process of a container, too; the
 * kernel protects that one from its own SIGKILL.
 */
export function endProcess(status: number): never {
  killChildren();
  if (process.getActiveResourcesInfo().some((name) => POOL_WORK.test(name))) replaceProcess(status);
  process.exit(status);
}

function replaceProcess(status: number): void {
  try {
    process.execve?.(process.execPath, ['node', '-e', `process.exit(${status})`], {});
  } catch {
    // The program has been removed, for example.
  }
}
