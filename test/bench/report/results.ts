// Everything that was measured, as it is written to the JSON file.
import type { LayoutName } from '../layouts/layout.ts';
import type { Summary } from './statistics.ts';

export interface Results {
  readonly machine: Readonly<Record<string, string>>;
  readonly sizes: readonly SizeResults[];
  readonly daemon: DaemonResults;
  readonly zone: ZoneResults;
}

export interface SizeResults {
  readonly services: number;
  readonly endpoints: number;
  readonly layouts: Readonly<Record<LayoutName, LayoutResults>>;
}

/** What is absent was not measured; `failure` says why, where something went wrong. */
export interface LayoutResults {
  readonly failure?: string;
  readonly loadMs?: Summary;
  readonly loadNftMb?: number;
  readonly changeMs?: Summary;
  readonly growMs?: Summary;
  readonly addMs?: Summary;
  /** What comes before each of these. */
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

export interface DaemonResults {
  readonly services: number;
  readonly endpoints: number;
  readonly starts: readonly StartResults[];
  /** Starts with the kernel as the last daemon left it. */
  readonly restarts: readonly StartResults[];
  readonly settledRssMb: number;
  readonly peakRssMb: number;
  readonly nftPeakMb: number;
  /** The most that an nft took in a restart, where it lists what there is. */
  readonly restartNftMb: number;
  /** From the event's arrival to the commit, as the daemon says. */
  readonly latencyMs: Summary;
  /** From the order to the API server to the kernel's word of the commit, as an outsider sees it. */
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
  /** Changes that the kernel did not have when the last one had been made. */
  readonly backlog: number;
  /** How long it took from then until it had them. */
  readonly drainMs: number;
  readonly latencyMs: Summary;
  readonly cpuShare: number;
}

/** The node moved to another zone, and every Service got other endpoints. */
export interface ZoneResults {
  readonly services: number;
  readonly endpoints: number;
  /** From the Node's arrival to the last commit, as the daemon says. */
  readonly latencyMs: Summary;
  /** What the kernel was told, of one change. */
  readonly operations: number;
}
