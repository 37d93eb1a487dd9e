// The results of all measurements, as written to the JSON file.

import type { LayoutName } from '../layouts/layout.ts';
import type { Summary } from './statistics.ts';

export interface Results {
  readonly machine: Readonly<Record<string, string>>;
  readonly sizes: readonly SizeResults[];
  readonly daemon: DaemonResults;
  readonly zone: ZoneResults;
  readonly repairs: RepairResults;
}

/** The size of the cluster that was measured. */
export interface ClusterSize {
  readonly services: number;
  readonly endpoints: number;
}

export interface SizeResults extends ClusterSize {
  readonly layouts: Readonly<Record<LayoutName, LayoutResults>>;
}

/** The results of a layout. Absent values were not measured; `failure` is the reason after an error. */
export interface LayoutResults {
  readonly failure?: string;
  readonly loadMs?: Summary;
  readonly loadNftMb?: number;
  readonly changeMs?: Summary;
  readonly growMs?: Summary;
  readonly addMs?: Summary;
  /** The layout's work before each of these changes. */
  readonly prepareMs?: Summary;
  readonly listMs?: Summary;
  readonly tcp?: TrafficSummary;
  readonly udp?: TrafficSummary;
}

/** Medians over the rounds. */
export interface TrafficSummary {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
}

export interface DaemonResults extends ClusterSize {
  readonly starts: readonly StartResults[];
  /** Starts with the ruleset of the previous daemon in the kernel. */
  readonly restarts: readonly StartResults[];
  readonly settledRssMb: number;
  readonly peakRssMb: number;
  readonly nftPeakMb: number;
  /** The peak memory of an nft process in a restart, where it lists the ruleset. */
  readonly restartNftMb: number;
  /** From the event's arrival to the commit, from the daemon's log. */
  readonly latencyMs: Summary;
  /** From the change at the API server to the commit, as `nft monitor` sees it. */
  readonly observedMs: Summary;
  readonly churn: ChurnResults;
}

/** Milliseconds from the start of the process. */
export interface StartResults {
  readonly startedMs: number;
  readonly listedMs: number;
  readonly completeMs: number;
}

export interface ChurnResults {
  readonly perSecond: number;
  readonly seconds: number;
  /** Changes that the kernel did not have when the last one was made. */
  readonly backlog: number;
  /** The time from the last change until the kernel had all of them. */
  readonly drainMs: number;
  readonly latencyMs: Summary;
  readonly cpuShare: number;
}

/** Results of moving the node to another zone, which changes the endpoints of every Service. */
export interface ZoneResults extends ClusterSize {
  /** From the Node's arrival to the last commit, from the daemon's log. */
  readonly latencyMs: Summary;
  /** The nft operations of one change. */
  readonly operations: number;
}

/** Changes of the ruleset by another process, by kind. */
export interface RepairResults extends ClusterSize {
  readonly times: Readonly<Record<string, RepairTimes>>;
}

/** In milliseconds; from the end of the command that changed the ruleset. */
export interface RepairTimes {
  readonly commandMs: number;
  readonly noticedMs: number;
  readonly repairedMs: number;
}
