// Records syncs as metrics.

import type { ForeignChanges } from '../controller/repair/foreign-changes.ts';
import { SYNC_STAGES } from '../controller/stage-timer.ts';
import type { Commit, FailedAttempt, Problems, SyncObserver } from '../controller/sync-observer.ts';
import type { Clock } from '../host/clock.ts';
import { FAMILIES, FAMILY_TRAITS } from '../net/family.ts';
import type { KubeProxyMetrics } from './kube-proxy/kube-proxy-metrics.ts';
import type { NoLocalEndpoints } from './kube-proxy/no-local-endpoints.ts';
import type { PendingChanges } from './kube-proxy/pending-changes.ts';
import type { SyncMetrics } from './nftlane/sync-metrics.ts';

interface RecorderOptions {
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly kubeProxy: KubeProxyMetrics;
  readonly nftlane: SyncMetrics;
  readonly changes: PendingChanges;
  readonly noLocalEndpoints: NoLocalEndpoints;
}

/** The values of the label `ip_family`. */
const FAMILY_LABELS = FAMILIES.map((family) => ({ ip_family: FAMILY_TRAITS[family].label }));

const VALIDATED_KINDS = ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR'] as const;

export class SyncRecorder implements SyncObserver {
  readonly #options: RecorderOptions;
  #problems: Problems = { issues: [], conflicts: [], refused: [], limited: [] };
  #succeededAt: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  queued(at: number): void {
    this.#options.changes.queued(at);
  }

  syncStarted(): void {
    this.#options.changes.beginSync();
  }

  committed({ at, services, report, times, problems, isInitial }: Commit): void {
    const { clock, kubeProxy, nftlane, changes, noLocalEndpoints } = this.#options;
    this.#succeededAt = at;
    this.#problems = problems;
    if (isInitial) nftlane.initialLoadComplete.set(1);
    noLocalEndpoints.update(services);
    for (const trigger of changes.commit()) {
      // The clocks of the machines may differ.
      kubeProxy.programmingSeconds.observe(
        { ip_family: trigger.label },
        Math.max(0, clock.wallTime(at) - trigger.at) / 1000,
      );
    }
    if (report.drift.length > 0) nftlane.drifts.inc(report.drift.length);
    if (report.refused.length > 0) nftlane.refusals.inc(report.refused.length);
    if (report.cleanupFailed) for (const labels of FAMILY_LABELS) kubeProxy.cleanupFailures.inc(labels);
    if (!times.hadEvents && report.operations === 0) return;
    this.#observeAttempt({ durationMs: times.durationMs, full: report.full || isInitial });
    if (times.hadEvents) nftlane.syncLatencySeconds.observe(times.latencyMs / 1000);
    for (const stage of SYNC_STAGES) {
      if (report.stages[stage] > 0) nftlane.stageSeconds.observe({ stage }, report.stages[stage] / 1000);
    }
    for (const size of report.transactionSizes) nftlane.transactionOperations.observe(size);
  }

  failed(_: unknown, { durationMs, full }: FailedAttempt): void {
    const { kubeProxy, nftlane, changes } = this.#options;
    changes.rollback();
    nftlane.syncFailures.inc();
    for (const labels of FAMILY_LABELS) kubeProxy.syncFailures.inc(labels);
    this.#observeAttempt({ durationMs, full: full || this.#succeededAt === undefined });
  }

  foreignCommit({ counts }: ForeignChanges): void {
    const { foreignChanges, foreignChangedObjects } = this.#options.nftlane;
    foreignChanges.inc();
    for (const [kind, count] of counts) foreignChangedObjects.inc({ kind }, count);
  }

  chainsModified(chains: readonly string[]): void {
    this.#options.nftlane.foreignChanges.inc();
    this.#options.nftlane.foreignChangedChains.inc(chains.length);
  }

  /** Updates gauges. Must be called before the metrics are read. */
  refresh(): void {
    const { clock, kubeProxy, nftlane, changes, noLocalEndpoints } = this.#options;
    const { issues, conflicts, refused } = this.#problems;
    nftlane.refusedServices.set(refused.length);
    nftlane.frontendConflicts.set(conflicts.length);
    for (const kind of VALIDATED_KINDS) {
      const objects = new Set(issues.map(({ object }) => object).filter((name) => name.startsWith(`${kind} `)));
      nftlane.invalidObjects.set({ kind }, objects.size);
    }
    kubeProxy.serviceChangesPending.set(changes.pendingServices);
    kubeProxy.sliceChangesPending.set(changes.pendingSlices);
    for (const labels of FAMILY_LABELS) {
      kubeProxy.lastQueued.set(labels, clock.wallTime(changes.lastQueuedAt) / 1000);
      if (this.#succeededAt !== undefined) kubeProxy.lastSynced.set(labels, clock.wallTime(this.#succeededAt) / 1000);
    }
    if (this.#succeededAt === undefined) return;
    for (const { policy, label, count } of noLocalEndpoints.counts()) {
      kubeProxy.noLocalEndpoints.set({ traffic_policy: policy, ip_family: label }, count);
    }
  }

  /** The first sync counts as full, although the preload has already listed the kernel. */
  #observeAttempt({ durationMs, full }: Pick<FailedAttempt, 'durationMs' | 'full'>): void {
    const { kubeProxy } = this.#options;
    for (const labels of FAMILY_LABELS) {
      kubeProxy.syncSeconds.observe(labels, durationMs / 1000);
      (full ? kubeProxy.fullSeconds : kubeProxy.partialSeconds).observe(labels, durationMs / 1000);
    }
  }
}
