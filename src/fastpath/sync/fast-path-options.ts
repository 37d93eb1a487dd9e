// Settings and dependencies of the fast path.

import type { Engine } from '../../engine/engine.ts';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import type { Address } from '../../net/address.ts';

interface FastPathSettings {
  readonly mode: 'auto' | 'required';
  /** Names of devices; empty for the devices with a default route. */
  readonly uplinks: readonly string[];
  /** For pins: a directory of a BPF file system. */
  readonly directory: string;
  /** The loader's executable. */
  readonly program: string;
  /** Flows per family, if the maps are created. */
  readonly maxFlows: number;
  readonly nft: string;
}

export interface FastPathOptions {
  readonly settings: FastPathSettings;
  readonly engine: Pick<Engine, 'store' | 'node' | 'options'>;
  /** Returns the current addresses of the host's interfaces. */
  readonly hostAddresses: () => readonly Address[];
  /** Changes our tables in one transaction: they may be closed to other processes. */
  readonly applyToTables: (lines: readonly string[]) => Promise<void>;
  readonly log: Log;
  readonly clock: Clock;
}
