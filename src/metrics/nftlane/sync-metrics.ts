// Metrics of our own about syncs, and about what is wrong with objects and with the kernel.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { STAGE_SECONDS, TRANSACTION_OPERATIONS } from '../kube-proxy/buckets.ts';

/** Registers them. */
export function syncMetrics(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name: `nftlane_${name}`, help, registers });
  const gauge = (name: string, help: string) => new Gauge({ name: `nftlane_${name}`, help, registers });
  return {
    syncLatencySeconds: new Histogram({
      name: 'nftlane_sync_latency_seconds',
      help: 'From the arrival of the oldest event of a sync to the commit that brought it in',
      buckets: STAGE_SECONDS,
      registers,
    }),
    stageSeconds: new Histogram({
      name: 'nftlane_sync_stage_duration_seconds',
      help: 'Duration of each stage of a sync',
      labelNames: ['stage'] as const,
      buckets: STAGE_SECONDS,
      registers,
    }),
    transactionOperations: new Histogram({
      name: 'nftlane_transaction_operations',
      help: 'Operations in each transaction that the kernel took',
      buckets: TRANSACTION_OPERATIONS,
      registers,
    }),
    syncFailures: counter('sync_failures_total', 'Syncs that failed and were tried again'),
    foreignChanges: counter('foreign_changes_total', 'Times that chains of ours were found changed by somebody else'),
    foreignChangedChains: counter('foreign_changed_chains_total', 'Chains of ours that somebody else had changed'),
    drifts: counter(
      'drift_detected_total',
      'Times that the kernel held something else than was applied, and was listed anew',
    ),
    refusals: counter('service_refusals_total', 'Services that the kernel refused'),
    refusedServices: gauge('refused_services', 'Services that are left out because the kernel refused them'),
    frontendConflicts: gauge('frontend_conflicts', 'Frontends that more than one Service claims'),
    invalidObjects: new Gauge({
      name: 'nftlane_objects_with_invalid_fields',
      help: 'Objects with a field that cannot be used as it stands',
      labelNames: ['kind'] as const,
      registers,
    }),
    initialLoadComplete: gauge(
      'initial_load_complete',
      '1 as soon as everything that there was at the start is in the kernel',
    ),
  };
}

export type SyncMetrics = ReturnType<typeof syncMetrics>;
