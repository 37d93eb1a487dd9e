// The addresses of this host's interfaces.

import { networkInterfaces } from 'node:os';
import type { Address } from '../../net/address.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { specialUseOf } from '../../net/special-address.ts';
import type { Log } from '../log.ts';
import { type IpMonitorOptions, monitorIp } from './ip-monitor.ts';

/** The addresses of all interfaces in this network namespace, including loopback. */
export function hostAddresses(): Address[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
}

/**
 * The networks of all interfaces that are up, each once, without loopback and link-local ones: the addresses that this host
 * reaches without a gateway. An interface with a single address has a network of full length.
 */
export function hostNetworks(): Prefix[] {
  const entries = Object.values(networkInterfaces()).flatMap((interfaceEntries) => interfaceEntries ?? []);
  const networks = entries.flatMap(({ cidr, address }) => {
    const network = specialUseOf(address) === undefined ? parsePrefix(cidr ?? '') : undefined;
    return network === undefined ? [] : [network];
  });
  return [...new Map(networks.map((network) => [network.text, network])).values()];
}

interface AddressWatchOptions extends Pick<IpMonitorOptions, 'signal' | 'command' | 'restartMs'> {
  /** Addresses may have changed. */
  readonly onChange: () => void;
  readonly log: Log;
  readonly pollMs?: number;
}

/** Finds changes that the monitor missed, and all of them while there is no monitor. */
const POLL_MS = 10_000;

/** Calls back when addresses may have changed, until the signal aborts. Never rejects: without the monitor it polls. */
export async function watchHostAddresses(options: AddressWatchOptions): Promise<void> {
  const { onChange, log, pollMs = POLL_MS, ...monitor } = options;
  const effect = `polling every ${pollMs / 1000} s`;
  const timer = setInterval(onChange, pollMs);
  await monitorIp({
    ...monitor,
    objects: ['address'],
    onChange: () => onChange(),
    onFailure: (reason) =>
      log.warn('cannot monitor address changes', { command: 'ip monitor address', reason, effect }),
    onRecovered: () => log.info('monitoring address changes again'),
  });
  clearInterval(timer);
}
