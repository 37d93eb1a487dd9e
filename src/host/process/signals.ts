// The signals of a daemon.

import { endProcess } from './end-process.ts';

/** Their default is to end the process. The daemon reads its configuration again with SIGHUP, and has no use for the others. */
const IGNORED = ['SIGHUP', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR', 'SIGSTKFLT'] as const;
const STOPPING = ['SIGTERM', 'SIGINT'] as const;

/** A service manager or the kubelet waits longer, but an operator expects a second. */
const STOP_TIMEOUT_MS = 1_700;

/**
 * Handles all signals whose default would end a daemon. The returned signal aborts with the first SIGTERM or SIGINT. The
 * second one ends the process with status 0, and so does the time limit: what has not ended by then hangs.
 */
export function handleSignals(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) endProcess(0);
    controller.abort();
    setTimeout(() => endProcess(0), STOP_TIMEOUT_MS).unref();
  };
  for (const signal of STOPPING) process.on(signal, stop);
  for (const signal of IGNORED) process.on(signal, () => {});
  return controller.signal;
}

/** Without a listener, SIGUSR1 opens the debugger of Node.js to every local user. `--disable-sigusr1` does it from the start. */
export function ignoreDebugSignal(): void {
  process.on('SIGUSR1', () => {});
}

/** Calls back for each SIGHUP until the signal aborts. */
export function onHangUp(listener: () => void, signal: AbortSignal): void {
  process.on('SIGHUP', listener);
  signal.addEventListener('abort', () => process.off('SIGHUP', listener), { once: true });
}
