// The metrics that kube-proxy has in its nftables mode, under their own names, with their labels and buckets.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { PROGRAMMING_SECONDS, SYNC_SECONDS } from './buckets.ts';

const PER_FAMILY = ['ip_family'] as const;

/** Registers them. A sync here is one for both families, so each of its samples counts for both. */
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
    syncSeconds: histogram('sync_proxy_rules_duration_seconds', 'Duration of each sync that had something to do'),
    fullSeconds: histogram('sync_full_proxy_rules_duration_seconds', 'Duration of syncs that listed the kernel first'),
    partialSeconds: histogram('sync_partial_proxy_rules_duration_seconds', 'Duration of syncs that sent changes only'),
    lastSynced: familyGauge('sync_proxy_rules_last_timestamp_seconds', 'Unix time of the last sync that succeeded'),
    lastQueued: familyGauge(
      'sync_proxy_rules_last_queued_timestamp_seconds',
      'Unix time at which a sync was last asked for',
    ),
    programmingSeconds: histogram(
      'network_programming_duration_seconds',
      'From the change that an EndpointSlice names as its trigger to the kernel',
      PROGRAMMING_SECONDS,
    ),
    syncFailures: familyCounter('sync_proxy_rules_nftables_sync_failures_total', 'Syncs that failed'),
    cleanupFailures: familyCounter(
      'sync_proxy_rules_nftables_cleanup_failures_total',
      'Failures to remove chains that nothing leads to any more',
    ),
  };
}

function changeMetrics({ counter, gauge, policyGauge }: Creators) {
  return {
    sliceChangesPending: gauge(
      'sync_proxy_rules_endpoint_changes_pending',
      'EndpointSlice events that no sync has taken up yet',
    ),
    sliceChanges: counter('sync_proxy_rules_endpoint_changes_total', 'EndpointSlice events'),
    serviceChangesPending: gauge(
      'sync_proxy_rules_service_changes_pending',
      'Services with a change that no sync has taken up yet',
    ),
    serviceChanges: counter('sync_proxy_rules_service_changes_total', 'Service events'),
    noLocalEndpoints: policyGauge(
      'sync_proxy_rules_no_local_endpoints_total',
      'Service ports with the Local policy that have endpoints, but none on this node',
    ),
  };
}

function otherMetrics({ codeCounter, familyCounter, histogram }: Creators) {
  return {
    healthz: codeCounter('proxy_healthz_total', 'Answers of /healthz by status code'),
    livez: codeCounter('proxy_livez_total', 'Answers of /livez by status code'),
    conntrackSeconds: histogram('conntrack_reconciler_sync_duration_seconds', 'Duration of conntrack clean-ups'),
    conntrackDeleted: familyCounter('conntrack_reconciler_deleted_entries_total', 'Stale conntrack entries removed'),
  };
}
