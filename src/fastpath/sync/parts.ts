// What the fast path is made of, and its settings.
import type { Engine } from '../../engine/engine.ts';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import type { Address } from '../../net/address.ts';

export interface FastPathSettings {
  readonly mode: 'auto' | 'required';
  /** Names of devices; empty for those with a default route. */
  readonly uplinks: readonly string[];
  /** Where everything is pinned: a directory of a BPF file system. */
  readonly directory: string;
  /** The loader. */
  readonly program: string;
  /** Of each family, if the maps are made anew. */
  readonly maxFlows: number;
  readonly nft: string;
}

export interface FastPathParts {
  readonly settings: FastPathSettings;
  readonly engine: Pick<Engine, 'store' | 'node' | 'options'>;
  /** The addresses of the host's interfaces, as they are now. */
  readonly hostAddresses: () => readonly Address[];
  readonly log: Log;
  readonly clock: Clock;
}
