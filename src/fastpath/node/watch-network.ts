// Word of devices, routes and neighbours that come and go.
import type { Log } from '../../host/log.ts';
import { monitorIp } from '../../host/network/ip-monitor.ts';
import type { NetworkState } from './network-state.ts';

export interface NetworkWatchOptions {
  /** Something may have changed; the line that the monitor printed, or none when it was not there to print any. */
  readonly onChange: (line?: string) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A neighbour as the monitor prints it: address, device, MAC address where it is known, and state. */
const NEIGHBOUR = /^(Deleted )?(\S+) dev (\S+)(?: lladdr (\S+))?(?: [a-z_]+)* [A-Z]+ *$/;

/** Whether a line tells what is not known: states of neighbours change all the time, their addresses hardly ever. */
export function isNetworkChange(line: string, { neighbours }: Pick<NetworkState, 'neighbours'>): boolean {
  const neighbour = NEIGHBOUR.exec(line);
  if (neighbour === null) return true;
  const [, deleted, address, device, mac] = neighbour;
  return deleted === undefined && mac !== undefined && neighbours.get(`${device} ${address}`) !== mac;
}

/** Whether a line tells that a device may have gone; one that has left its bridge is told of in the same words. */
export function isLinkDeletion(line: string): boolean {
  return /^Deleted \d+: /.test(line);
}

/** Calls back until the signal aborts. Never rejects: a monitor that ends is started again. */
export async function watchNetwork({ onChange, log, signal }: NetworkWatchOptions): Promise<void> {
  await monitorIp({
    objects: ['link', 'route', 'neigh'],
    onChange,
    onFailure: (reason) => log.warn('cannot hear of changed devices and routes', { reason }),
    signal,
  });
}
