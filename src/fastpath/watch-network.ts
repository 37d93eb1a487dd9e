// Word of devices, routes and neighbours that come and go.
import { setTimeout as delay } from 'node:timers/promises';
import { follow } from '../sys/follow.ts';
import type { Log } from '../sys/log.ts';

export interface NetworkWatch {
  /** Something may have changed. */
  readonly onChange: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const RESTART_MS = 1000;

/** Calls back until the signal aborts. Never rejects: a monitor that ends is started again. */
export async function watchNetwork({ onChange, log, signal }: NetworkWatch): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    const reason = await follow('ip', ['-o', 'monitor', 'link', 'route', 'neigh'], { onLine: onChange, signal });
    if (signal.aborted) return;
    if (reason !== told) log.warn('cannot hear of changed devices and routes', { reason });
    told = reason;
    await delay(RESTART_MS, undefined, { signal }).catch(() => {});
    onChange();
  }
}
