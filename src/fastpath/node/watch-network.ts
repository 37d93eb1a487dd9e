// Watches netlink for link, route and neighbor changes.

import type { Log } from '../../host/log.ts';
import { monitorIp } from '../../host/network/ip-monitor.ts';
import type { NetworkState } from './network-state.ts';

interface NetworkWatchOptions {
  /** Takes a line of `ip monitor`, or `undefined` when the monitor was restarted and lines may be missing. */
  readonly onChange: (line?: string) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A neighbor line of the monitor: address, device, MAC address if known, and state. */
const NEIGHBOR = /^(Deleted )?(\S+) dev (\S+)(?: lladdr (\S+))?(?: [a-z_]+)* [A-Z]+ *$/;

/** Whether a line reports a change. Neighbors change state all the time, but rarely their MAC address. */
export function isNetworkChange(line: string, { neighbors }: Pick<NetworkState, 'neighbors'>): boolean {
  const neighbor = NEIGHBOR.exec(line);
  if (neighbor === null) return true;
  const [, deleted, address, device, mac] = neighbor;
  return deleted === undefined && mac !== undefined && neighbors.get(`${device} ${address}`) !== mac;
}

/** Whether a line may report a deleted device. A device that left its bridge is reported in the same format. */
export function isLinkDeletion(line: string): boolean {
  return /^Deleted \d+: /.test(line);
}

/** Watches until the signal aborts. Never rejects: restarts a monitor that exits. */
export async function watchNetwork({ onChange, log, signal }: NetworkWatchOptions): Promise<void> {
  await monitorIp({
    objects: ['link', 'route', 'neigh'],
    onChange,
    onFailure: (reason) => log.warn('cannot monitor network changes', { reason }),
    onRecovered: () => log.info('monitoring network changes again'),
    signal,
  });
}
