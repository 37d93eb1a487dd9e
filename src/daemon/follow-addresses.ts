// Addresses of interfaces that come and go: they matter where node ports are taken at the addresses inside a block.
import type { Engine } from '../engine/engine.ts';
import type { Log } from '../host/log.ts';
import { hostAddresses, watchHostAddresses } from '../host/network/host-addresses.ts';
import type { Address } from '../net/address.ts';
import { contains, type Prefix } from '../net/prefix.ts';

export interface FollowParts {
  readonly engine: Engine;
  /** Asks for a sync. */
  readonly request: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface FollowedAddresses {
  /** Whether addresses matter may be another matter now. */
  optionsChanged(): void;
  /** Resolves when nothing runs any more, after the signal. */
  ended(): Promise<void>;
}

/** Hands the addresses to the engine as they change, as long as its options have blocks, and until the signal aborts. */
export function followAddresses({ engine, request, log, signal }: FollowParts): FollowedAddresses {
  let watching = new AbortController();
  let watch = Promise.resolve();
  const blocks = () => engine.options.nodePortAddresses.filter((entry): entry is Prefix => typeof entry === 'object');
  const inBlocks = (addresses: readonly Address[]) =>
    addresses.filter((address) => blocks().some((block) => contains(block, address)));
  const look = (): void => {
    const now = hostAddresses();
    if (inBlocks(now).join() === inBlocks(engine.hostAddresses).join()) return;
    engine.setHostAddresses(now);
    request();
  };
  const optionsChanged = (): void => {
    const wanted = blocks().length > 0;
    if (wanted === isWatching) return;
    isWatching = wanted;
    watching.abort();
    if (!wanted) return;
    watching = new AbortController();
    look();
    watch = watchHostAddresses({ onChange: look, log, signal: AbortSignal.any([signal, watching.signal]) });
  };
  let isWatching = false;
  optionsChanged();
  return { optionsChanged, ended: () => watch };
}
