// Metrics of syncs, and of problems with objects and the kernel.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { STAGE_SECONDS, TRANSACTION_OPERATIONS } from '../kube-proxy/buckets.ts';

/** Registers the metrics. */
export function syncMetrics(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name: `nftlane_${name}`, help, registers });
  const gauge = (name: string, help: string) => new Gauge({ name: `nftlane_${name}`, help, registers });
  return {
    syncLatencySeconds: new Histogram({
      name: 'nftlane_sync_latency_seconds',
      help: 'Time from the arrival of the oldest event of a sync to its commit in seconds',
      buckets: STAGE_SECONDS,
      registers,
    }),
    stageSeconds: new Histogram({
      name: 'nftlane_sync_stage_duration_seconds',
      help: 'Duration of the stages of syncs in seconds',
      labelNames: ['stage'] as const,
      buckets: STAGE_SECONDS,
      registers,
    }),
    transactionOperations: new Histogram({
      name: 'nftlane_transaction_operations',
      help: 'Number of operations of committed transactions',
      buckets: TRANSACTION_OPERATIONS,
      registers,
    }),
    syncFailures: counter('sync_failures_total', 'Total number of failed syncs, which are retried'),
    ...foreignChangeMetrics(registers),
    drifts: counter(
      'drift_detected_total',
      'Total number of times that the kernel state differed from the applied state and was listed again',
    ),
    refusals: counter('service_refusals_total', 'Total number of Service refusals by the kernel'),
    refusedServices: gauge('refused_services', 'Number of Services not programmed because the kernel refused them'),
    frontendConflicts: gauge('frontend_conflicts', 'Number of frontends claimed by more than one Service'),
    invalidObjects: new Gauge({
      name: 'nftlane_objects_with_invalid_fields',
      help: 'Number of objects with an invalid field',
      labelNames: ['kind'] as const,
      registers,
    }),
    initialLoadComplete: gauge('initial_load_complete', '1 once the initial load is in the kernel, 0 before'),
  };
}

function foreignChangeMetrics(registers: Registry[]) {
  const counter = (name: string, help: string) => new Counter({ name: `nftlane_${name}`, help, registers });
  return {
    foreignChanges: counter(
      'foreign_changes_total',
      'Total number of times that changes of the ruleset by another process were found',
    ),
    foreignChangedObjects: new Counter({
      name: 'nftlane_foreign_changed_objects_total',
      help: 'Total number of objects that other processes added to, changed in or deleted from the tables of nftlane',
      labelNames: ['kind'] as const,
      registers,
    }),
    foreignChangedChains: counter('foreign_changed_chains_total', 'Total number of chains changed by another process'),
  };
}

export type SyncMetrics = ReturnType<typeof syncMetrics>;
