// The status of the fast path, for `inspect fastpath`, metrics and `explain`.

import type { SkipCause } from '../eligibility/skip-reason.ts';
import type { CollectionTotals } from '../flows/flow-collector.ts';
import type { PacketCount } from '../loader/loader-client.ts';
import type { SyncFailure } from '../sync/sync-failures.ts';

export interface FastPathFrontend {
  readonly name: string;
  readonly kind: string;
  /** `ADDRESS:PORT/PROTOCOL`. */
  readonly destination: string;
  /** `DEVICE ADDRESS:PORT`, repeated by weight. */
  readonly backends: readonly string[];
  /** Flows of its backends, which the frontends of a Service port share. */
  readonly flows: number;
  /** Why nftables serves new flows for now. */
  readonly suspended?: string;
}

export interface SkippedFrontend {
  readonly name: string;
  /** `ADDRESS:PORT/PROTOCOL`. */
  readonly destination: string;
  readonly cause: SkipCause;
  /** For display. */
  readonly reason: string;
}

/** Counted since the daemon started. */
export interface FastPathTotals extends CollectionTotals {
  /** Failed syncs. */
  readonly failures: number;
  readonly loaderRestarts: number;
}

export interface FastPathStatus {
  readonly mode: 'off' | 'auto' | 'required';
  /** `on` while attached programs take new flows. */
  readonly state: 'on' | 'off';
  /** Why it is off. */
  readonly reason?: string;
  /** Set while syncs fail. */
  readonly failing?: SyncFailure;
  /** `tcx` or `clsact`. */
  readonly attach?: string;
  /** The programs serve UDP, which needs conntrack lookups. */
  readonly udp?: boolean;
  readonly uplinks: readonly { readonly name: string; readonly reason?: string }[];
  /** Names of the pod devices with an attached program. */
  readonly podDevices: readonly string[];
  readonly frontends: readonly FastPathFrontend[];
  readonly skipped: readonly SkippedFrontend[];
  /** Prefixes of clients that nftables serves. */
  readonly excludedSources: readonly string[];
  readonly flows: { readonly ip: number; readonly ip6: number };
  /** Entries, two for each flow, and the limit of each flow table. */
  readonly flowTables: Readonly<Record<'ip' | 'ip6', { readonly entries: number; readonly limit: number }>>;
  /** Used slots, and those among them that only live flows use. */
  readonly slots: { readonly used: number; readonly draining: number };
  readonly packets: readonly PacketCount[];
  readonly totals: FastPathTotals;
}
