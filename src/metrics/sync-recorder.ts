// Turns what the daemon tells into samples.

import type { FailedAttempt, SyncObserver, SyncTimes, Troubles } from '../controller/observer.ts';
import { SYNC_STAGES } from '../controller/stage-watch.ts';
import type { SyncReport } from '../controller/sync.ts';
import { FAMILIES, FAMILY_TRAITS } from '../net/family.ts';
import type { ChangeBook } from './kube-proxy/change-book.ts';
import type { KubeProxyMetrics } from './kube-proxy/kube-proxy-metrics.ts';
import type { LocalGaps } from './kube-proxy/local-gaps.ts';
import type { SyncMetrics } from './nftlane/sync-metrics.ts';

export interface RecorderParts {
  readonly proxy: KubeProxyMetrics;
  readonly own: SyncMetrics;
  readonly changes: ChangeBook;
  readonly gaps: LocalGaps;
}

/** The values of the label `ip_family`. */
export const FAMILY_LABELS = FAMILIES.map((family) => ({ ip_family: FAMILY_TRAITS[family].label }));

const KINDS_READ = ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR'] as const;

export class SyncRecorder implements SyncObserver {
  readonly #parts: RecorderParts;
  #troubles: Troubles = { findings: [], collisions: [], refused: [] };
  #succeededAt: number | undefined;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  queued(at: number): void {
    this.#parts.changes.asked(at);
  }

  began(): void {
    this.#parts.changes.checkOut();
  }

  synced(report: SyncReport, times: SyncTimes): void {
    const { proxy, own, changes, gaps } = this.#parts;
    const now = times.startedAt + times.ms;
    const isFull = report.full || this.#isFirst;
    this.#succeededAt = now;
    const { services, triggers } = changes.settle();
    gaps.touch(services);
    for (const { label, at } of triggers) {
      // The clocks of two machines differ.
      proxy.programmingSeconds.observe({ ip_family: label }, Math.max(0, now - at) / 1000);
    }
    if (report.drift.length > 0) own.drifts.inc(report.drift.length);
    if (report.refused.length > 0) own.refusals.inc(report.refused.length);
    if (report.tidyFailed) for (const labels of FAMILY_LABELS) proxy.tidyFailures.inc(labels);
    if (!times.hadEvents && report.operations === 0) return;
    this.#attempted(times.ms, isFull);
    if (times.hadEvents) own.eventSeconds.observe(times.latencyMs / 1000);
    for (const stage of SYNC_STAGES) {
      if (report.stages[stage] > 0) own.stageSeconds.observe({ stage }, report.stages[stage] / 1000);
    }
    for (const size of report.sizes) own.transactionOperations.observe(size);
  }

  completed(): void {
    this.#parts.own.complete.set(1);
  }

  failed(_: unknown, { ms, full }: FailedAttempt): void {
    const { proxy, own, changes } = this.#parts;
    changes.giveBack();
    own.syncFailures.inc();
    for (const labels of FAMILY_LABELS) proxy.syncFailures.inc(labels);
    this.#attempted(ms, full || this.#isFirst);
  }

  altered(chains: readonly string[]): void {
    this.#parts.own.foreignChanges.inc();
    this.#parts.own.foreignChains.inc(chains.length);
  }

  troubled(troubles: Troubles): void {
    this.#troubles = troubles;
  }

  /** Sets what is only looked at: to be called before the metrics are read. */
  refresh(): void {
    const { proxy, own, changes, gaps } = this.#parts;
    const { findings, collisions, refused } = this.#troubles;
    own.refused.set(refused.length);
    own.collisions.set(collisions.length);
    for (const kind of KINDS_READ) {
      const objects = new Set(findings.map(({ object }) => object).filter((name) => name.startsWith(`${kind} `)));
      own.faulty.set({ kind }, objects.size);
    }
    proxy.serviceChangesPending.set(changes.pendingServices);
    proxy.sliceChangesPending.set(changes.pendingSlices);
    for (const labels of FAMILY_LABELS) {
      proxy.lastQueued.set(labels, changes.askedAt / 1000);
      if (this.#succeededAt !== undefined) proxy.lastSynced.set(labels, this.#succeededAt / 1000);
    }
    if (this.#succeededAt === undefined) return;
    for (const { policy, label, count } of gaps.counts()) {
      proxy.withoutLocal.set({ traffic_policy: policy, ip_family: label }, count);
    }
  }

  /** What the kernel held at the start was listed before the first sync, for what is loaded ahead. */
  get #isFirst(): boolean {
    return this.#succeededAt === undefined;
  }

  #attempted(ms: number, full: boolean): void {
    const { proxy } = this.#parts;
    for (const labels of FAMILY_LABELS) {
      proxy.syncSeconds.observe(labels, ms / 1000);
      (full ? proxy.fullSeconds : proxy.partialSeconds).observe(labels, ms / 1000);
    }
  }
}
