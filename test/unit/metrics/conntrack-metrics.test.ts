// Tests of src/metrics/conntrack-metrics.ts.

import { Registry } from 'prom-client';
import t from 'tap';
import { ConntrackMetrics } from '../../../src/metrics/conntrack-metrics.ts';
import { kubeProxyMetrics } from '../../../src/metrics/kube-proxy/kube-proxy-metrics.ts';

t.test('ConntrackMetrics count UDP and TCP apart', async (t) => {
  const registry = new Registry();
  const metrics = new ConntrackMetrics(registry, kubeProxyMetrics(registry));
  metrics.countFailure('tcp');
  metrics.countFailure('tcp');
  metrics.countFailure('udp');
  metrics.observe('udp', { durationMs: 3, deleted: { ip: 2, ip6: 1 } });
  metrics.observe('tcp', { durationMs: 4, deleted: { ip: 0, ip6: 7 } });
  const lines = (await registry.metrics()).split('\n').filter((line) => /^\w*conntrack\w*(_total|_count)/.test(line));
  t.strictSame(lines.toSorted(), [
    'kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} 2',
    'kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv6"} 1',
    'kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv4"} 1',
    'kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv6"} 1',
    'nftlane_conntrack_cleanup_failures_total 1',
    'nftlane_conntrack_tcp_cleanup_duration_seconds_count 1',
    'nftlane_conntrack_tcp_cleanup_failures_total 2',
    'nftlane_conntrack_tcp_deleted_entries_total{ip_family="IPv4"} 0',
    'nftlane_conntrack_tcp_deleted_entries_total{ip_family="IPv6"} 7',
  ]);
});
