// The addresses of this host's interfaces, and word of their changes.
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Address } from '../../net/address.ts';
import type { Log } from '../log.ts';
import { streamLines } from '../process/stream-lines.ts';

/** As they are now. */
export function hostAddresses(): Address[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
}

export interface AddressWatchOptions {
  /** Something may have changed. */
  readonly onChange: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** What tells of changes; tests hand in their own. */
  readonly command?: readonly [program: string, ...args: string[]];
  readonly restartMs?: number;
  readonly pollMs?: number;
}

const MONITOR = ['ip', '-o', 'monitor', 'address'] as const;
/** A monitor that ends is started again after this. */
const MONITOR_RESTART_MS = 1000;
/** What happens while there is no monitor, or what it missed, is found as late as this. */
const POLL_MS = 10_000;

/** Calls back when addresses may have changed, until the signal aborts. Never rejects: without the program it looks now and then. */
export async function watchHostAddresses(options: AddressWatchOptions): Promise<void> {
  const { onChange, log, signal, command = MONITOR, restartMs = MONITOR_RESTART_MS, pollMs = POLL_MS } = options;
  const [program, ...args] = command;
  const timer = setInterval(onChange, pollMs);
  let loggedReason = '';
  while (!signal.aborted) {
    const reason = await streamLines(program, args, { onLine: onChange, signal });
    if (signal.aborted) break;
    const effect = `looking every ${pollMs / 1000} s`;
    if (reason !== loggedReason)
      log.warn('cannot hear of changed addresses', { program: command.join(' '), reason, effect });
    loggedReason = reason;
    await delay(restartMs, undefined, { signal }).catch(() => {});
    onChange();
  }
  clearInterval(timer);
}
