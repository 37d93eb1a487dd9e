// Metrics of the cleanups of conntrack entries: those of UDP flows have kube-proxy's names, which does not look at TCP.

import { Counter, Histogram, type Registry } from 'prom-client';
import type { CleanupResult } from '../conntrack/cleanup-runner.ts';
import { FAMILIES, FAMILY_TRAITS } from '../net/family.ts';
import { SYNC_SECONDS } from './kube-proxy/buckets.ts';
import type { KubeProxyMetrics } from './kube-proxy/kube-proxy-metrics.ts';

/** What a cleanup looks for: UDP flows, or attempts to open TCP connections. */
export type CleanupProtocol = 'udp' | 'tcp';

/** Registers the metrics. A cleanup covers both families. */
export class ConntrackMetrics {
  readonly #failures: Readonly<Record<CleanupProtocol, Counter>>;
  readonly #deletedAttempts: Counter<'ip_family'>;
  readonly #attemptSeconds: Histogram;
  readonly #kubeProxy: KubeProxyMetrics;

  constructor(registry: Registry, kubeProxy: KubeProxyMetrics) {
    const registers = [registry];
    this.#kubeProxy = kubeProxy;
    this.#failures = {
      udp: new Counter({
        name: 'nftlane_conntrack_cleanup_failures_total',
        help: 'Total number of failed cleanups of stale UDP conntrack entries',
        registers,
      }),
      tcp: new Counter({
        name: 'nftlane_conntrack_tcp_cleanup_failures_total',
        help: 'Total number of failed cleanups of stale attempts to open TCP connections',
        registers,
      }),
    };
    this.#attemptSeconds = new Histogram({
      name: 'nftlane_conntrack_tcp_cleanup_duration_seconds',
      help: 'Duration of cleanups of stale attempts to open TCP connections in seconds',
      buckets: SYNC_SECONDS,
      registers,
    });
    this.#deletedAttempts = new Counter({
      name: 'nftlane_conntrack_tcp_deleted_entries_total',
      help: 'Total number of conntrack entries of stale attempts to open TCP connections deleted',
      labelNames: ['ip_family'] as const,
      registers,
    });
  }

  /** A failed cleanup is retried, unless the program is missing. */
  countFailure(protocol: CleanupProtocol): void {
    this.#failures[protocol].inc();
  }

  observe(protocol: CleanupProtocol, { durationMs, deleted }: CleanupResult): void {
    const seconds = durationMs / 1000;
    if (protocol === 'tcp') this.#attemptSeconds.observe(seconds);
    for (const family of FAMILIES) {
      const labels = { ip_family: FAMILY_TRAITS[family].label };
      if (protocol === 'udp') this.#kubeProxy.conntrackSeconds.observe(labels, seconds);
      const counter = protocol === 'udp' ? this.#kubeProxy.conntrackDeleted : this.#deletedAttempts;
      counter.inc(labels, deleted[family]);
    }
  }
}
