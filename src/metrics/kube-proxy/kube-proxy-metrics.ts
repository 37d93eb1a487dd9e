// The metrics of kube-proxy's nftables mode, with the same names, labels and buckets.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { PROGRAMMING_SECONDS, SYNC_SECONDS } from './buckets.ts';

const PER_FAMILY = ['ip_family'] as const;

/** Registers the metrics. One sync covers both families, so each of its samples counts for both. */
export function kubeProxyMetrics(registry: Registry) {
  const create = creators(registry);
  return { ...syncMetrics(create), ...changeMetrics(create), ...otherMetrics(create) };
}

export type KubeProxyMetrics = ReturnType<typeof kubeProxyMetrics>;

type Creators = ReturnType<typeof creators>;

function creators(registry: Registry) {
  const registers = [registry];
  const options = (name: string, help: string) => ({ name: `kubeproxy_${name}`, help, registers });
  return {
    counter: (name: string, help: string) => new Counter(options(name, help)),
    familyCounter: (name: string, help: string) => new Counter({ ...options(name, help), labelNames: PER_FAMILY }),
    codeCounter: (name: string, help: string) => new Counter({ ...options(name, help), labelNames: ['code'] as const }),
    gauge: (name: string, help: string) => new Gauge(options(name, help)),
    familyGauge: (name: string, help: string) => new Gauge({ ...options(name, help), labelNames: PER_FAMILY }),
    policyGauge: (name: string, help: string) =>
      new Gauge({ ...options(name, help), labelNames: ['traffic_policy', 'ip_family'] as const }),
    histogram: (name: string, help: string, buckets = SYNC_SECONDS) =>
      new Histogram({ ...options(name, help), labelNames: PER_FAMILY, buckets }),
  };
}

function syncMetrics({ familyCounter, familyGauge, histogram }: Creators) {
  return {
    syncSeconds: histogram('sync_proxy_rules_duration_seconds', 'Duration of syncs in seconds'),
    fullSeconds: histogram(
      'sync_full_proxy_rules_duration_seconds',
      'Duration of full syncs, which list the kernel first, in seconds',
    ),
    partialSeconds: histogram('sync_partial_proxy_rules_duration_seconds', 'Duration of partial syncs in seconds'),
    lastSynced: familyGauge('sync_proxy_rules_last_timestamp_seconds', 'Unix timestamp of the last successful sync'),
    lastQueued: familyGauge(
      'sync_proxy_rules_last_queued_timestamp_seconds',
      'Unix timestamp of the last request for a sync',
    ),
    programmingSeconds: histogram(
      'network_programming_duration_seconds',
      'Time from the trigger of an EndpointSlice change to the programmed rules in seconds',
      PROGRAMMING_SECONDS,
    ),
    syncFailures: familyCounter('sync_proxy_rules_nftables_sync_failures_total', 'Total number of failed syncs'),
    cleanupFailures: familyCounter(
      'sync_proxy_rules_nftables_cleanup_failures_total',
      'Total number of failures to remove unreferenced chains',
    ),
  };
}

function changeMetrics({ counter, gauge, policyGauge }: Creators) {
  return {
    sliceChangesPending: gauge(
      'sync_proxy_rules_endpoint_changes_pending',
      'Number of EndpointSlice changes that no sync has started to apply',
    ),
    sliceChanges: counter('sync_proxy_rules_endpoint_changes_total', 'Total number of EndpointSlice changes'),
    serviceChangesPending: gauge(
      'sync_proxy_rules_service_changes_pending',
      'Number of changed Services that no sync has started to apply',
    ),
    serviceChanges: counter('sync_proxy_rules_service_changes_total', 'Total number of Service changes'),
    noLocalEndpoints: policyGauge(
      'sync_proxy_rules_no_local_endpoints_total',
      'Number of Service ports with the Local traffic policy that have endpoints, but none on this node',
    ),
  };
}

function otherMetrics({ codeCounter, familyCounter, histogram }: Creators) {
  return {
    healthz: codeCounter('proxy_healthz_total', 'Total number of /healthz responses by status code'),
    livez: codeCounter('proxy_livez_total', 'Total number of /livez responses by status code'),
    conntrackSeconds: histogram(
      'conntrack_reconciler_sync_duration_seconds',
      'Duration of conntrack cleanups in seconds',
    ),
    conntrackDeleted: familyCounter(
      'conntrack_reconciler_deleted_entries_total',
      'Total number of stale conntrack entries deleted',
    ),
  };
}
