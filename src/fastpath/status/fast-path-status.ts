// The fast path for people: what is on, where, and why not.

import type { SkipCause } from '../eligibility/skip-reason.ts';
import type { CollectionTotals } from '../flows/flow-collector.ts';
import type { PacketCount } from '../loader/loader-client.ts';
import type { SyncFailure } from '../sync/sync-failures.ts';

export interface FastPathFrontend {
  readonly name: string;
  readonly kind: string;
  /** `address port/protocol`. */
  readonly destination: string;
  /** `device address:port`, each as often as its weight says. */
  readonly backends: readonly string[];
  /** Flows of its backends, which frontends of one Service port share. */
  readonly flows: number;
  /** New flows are nft's for now, and why. */
  readonly suspended?: string;
}

export interface SkippedFrontend {
  readonly name: string;
  /** `address port/protocol`. */
  readonly destination: string;
  readonly cause: SkipCause;
  /** For people. */
  readonly reason: string;
}

/** Since the daemon began. */
export interface FastPathTotals extends CollectionTotals {
  /** Passes of work that failed. */
  readonly failures: number;
  readonly loaderRestarts: number;
}

export interface FastPathStatus {
  readonly mode: 'off' | 'auto' | 'required';
  /** `on` while programs that are attached take new flows. */
  readonly state: 'on' | 'off';
  /** Why it is off. */
  readonly reason?: string;
  /** It cannot be kept in step with Services and devices. */
  readonly failing?: SyncFailure;
  /** `tcx` or `clsact`. */
  readonly attach?: string;
  /** The kernel can be asked for conntrack entries, which UDP needs. */
  readonly udp?: boolean;
  readonly uplinks: readonly { readonly name: string; readonly reason?: string }[];
  /** Names of pods' devices with the program that takes answers. */
  readonly podDevices: readonly string[];
  readonly frontends: readonly FastPathFrontend[];
  readonly skipped: readonly SkippedFrontend[];
  /** Blocks of addresses whose packets nft has to see. */
  readonly excludedSources: readonly string[];
  readonly flows: { readonly ip: number; readonly ip6: number };
  /** Of each table of flows: its entries, two for each flow, and how many there is room for. */
  readonly flowTables: Readonly<Record<'ip' | 'ip6', { readonly entries: number; readonly limit: number }>>;
  /** Slots in use, and those of them that only live flows use. */
  readonly slots: { readonly used: number; readonly draining: number };
  readonly packets: readonly PacketCount[];
  readonly totals: FastPathTotals;
}
