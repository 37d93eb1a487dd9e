// Follows changes of addresses, links, routes and neighbors with `ip monitor`.

import { setTimeout as delay } from 'node:timers/promises';
import { streamLines } from '../process/line-process.ts';

export interface IpMonitorOptions {
  /** The arguments of `ip monitor`. */
  readonly objects: readonly string[];
  /** Receives each line, and `undefined` when the monitor was restarted and may have missed changes. */
  readonly onChange: (line?: string) => void;
  /** The monitor ended or did not start. Called once for each reason. */
  readonly onFailure: (reason: string) => void;
  /** The monitor has run for a while after a failure that was reported. */
  readonly onRecovered: () => void;
  readonly signal: AbortSignal;
  /** The program and the arguments before `objects`; tests pass their own. */
  readonly command?: readonly [program: string, ...args: string[]] | undefined;
  readonly restartMs?: number | undefined;
}

const MONITOR = ['ip', '-o', 'monitor'] as const;
const RESTART_MS = 1000;
/** A monitor that has run for so long keeps running. */
const STABLE_RESTARTS = 5;

/** Runs until the signal aborts and restarts the monitor when it ends. Never rejects. */
export async function monitorIp(options: IpMonitorOptions): Promise<void> {
  const { objects, onChange, onFailure, onRecovered, signal, command = MONITOR, restartMs = RESTART_MS } = options;
  const [program, ...args] = command;
  let reportedReason = '';
  while (!signal.aborted) {
    const timer = setTimeout(() => {
      if (reportedReason === '') return;
      reportedReason = '';
      onRecovered();
    }, STABLE_RESTARTS * restartMs).unref();
    const reason = await streamLines(program, [...args, ...objects], { onLine: onChange, signal });
    clearTimeout(timer);
    if (signal.aborted) return;
    if (reason !== reportedReason) onFailure(reason);
    reportedReason = reason;
    await delay(restartMs, undefined, { signal }).catch(() => {});
    onChange();
  }
}
