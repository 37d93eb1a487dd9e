// Word of devices, routes and neighbours that come and go.
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../host/log.ts';
import { follow } from '../../host/process/follow.ts';
import type { Network } from './network.ts';

export interface NetworkWatch {
  /** Something may have changed; the line that the monitor printed, or none when it was not there to print any. */
  readonly onChange: (line?: string) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const RESTART_MS = 1000;

/** A neighbour as the monitor prints it: address, device, MAC address where it is known, and state. */
const NEIGHBOUR = /^(Deleted )?(\S+) dev (\S+)(?: lladdr (\S+))?(?: [a-z_]+)* [A-Z]+ *$/;

/** Whether a line tells what is not known: states of neighbours change all the time, their addresses hardly ever. */
export function isNews(line: string, { neighbours }: Pick<Network, 'neighbours'>): boolean {
  const neighbour = NEIGHBOUR.exec(line);
  if (neighbour === null) return true;
  const [, deleted, address, device, mac] = neighbour;
  return deleted === undefined && mac !== undefined && neighbours.get(`${device} ${address}`) !== mac;
}

/** Whether a line tells that a device may have gone; one that has left its bridge is told of in the same words. */
export function tellsOfEnd(line: string): boolean {
  return /^Deleted \d+: /.test(line);
}

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
