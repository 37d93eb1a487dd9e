// Passes changed host addresses and networks to the engine: immediately if nodePortAddresses has CIDR blocks.

import type { Engine } from '../engine/engine.ts';
import type { Log } from '../host/log.ts';
import { hostAddresses, hostNetworks, watchHostAddresses } from '../host/network/host-addresses.ts';
import type { Address } from '../net/address.ts';
import { contains, type Prefix } from '../net/prefix.ts';
import { nodePortBlocks } from '../services/model/node-port-addresses.ts';

interface AddressWatcherOptions {
  readonly engine: Engine;
  /** Requests a sync. */
  readonly requestSync: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface AddressWatcher {
  /** Starts or stops watching after the options of the engine changed. */
  optionsChanged(): void;
  /** Resolves when the watch has ended after the signal. */
  stopped(): Promise<void>;
}

/**
 * Networks only limit the drops of ServiceCIDRs, and addresses of the Node only decide about a warning. Both rarely change on a
 * running node. Reading them takes 1 ms.
 */
const POLL_MS = 10_000;

/** Watches addresses while the options of the engine have CIDR blocks, until the signal aborts. */
export function startAddressWatcher({ engine, requestSync, log, signal }: AddressWatcherOptions): AddressWatcher {
  let watchController = new AbortController();
  let watchDone = Promise.resolve();
  const prefixes = () => nodePortBlocks(engine.options.nodePortAddresses);
  const isUsed = (address: Address) =>
    engine.node.ownAddresses.includes(address) || prefixes().some((block) => contains(block, address));
  const used = (addresses: readonly Address[]) => addresses.filter(isUsed).join();
  const refresh = (): void => {
    const current = hostAddresses();
    const networks = hostNetworks();
    const hasSameNetworks = textsOf(networks) === textsOf(engine.hostNetworks);
    if (hasSameNetworks && used(current) === used(engine.hostAddresses)) return;
    engine.setHostAddresses(current, networks);
    requestSync();
  };
  const optionsChanged = (): void => {
    const shouldWatch = prefixes().length > 0;
    if (shouldWatch === isWatching) return;
    isWatching = shouldWatch;
    watchController.abort();
    if (!shouldWatch) return;
    watchController = new AbortController();
    refresh();
    watchDone = watchHostAddresses({
      onChange: refresh,
      log,
      signal: AbortSignal.any([signal, watchController.signal]),
    });
  };
  let isWatching = false;
  optionsChanged();
  const timer = setInterval(refresh, POLL_MS).unref();
  signal.addEventListener('abort', () => clearInterval(timer));
  return { optionsChanged, stopped: () => watchDone };
}

function textsOf(networks: readonly Prefix[]): string {
  return networks.map(({ text }) => text).join();
}
