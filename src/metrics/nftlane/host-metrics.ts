// Metrics of the limits on what others can do to the daemon: connections and the log.

import type { Registry } from 'prom-client';
import { counterOnScrape, single } from './on-scrape.ts';

export interface HostCounts {
  /** Connections that servers of the daemon closed to make room for others, by server. */
  readonly evictions: { readonly counts: ReadonlyMap<string, number> };
  readonly log: { readonly dropped: number };
}

const SERVERS = ['health', 'service-health', 'metrics'] as const;

/** A server without such connections has the value 0. */
export function registerHostMetrics(registry: Registry, { evictions, log }: HostCounts): void {
  counterOnScrape(registry, {
    name: 'nftlane_http_evicted_connections_total',
    help: 'Total number of idle connections that a server of the daemon closed to make room for others',
    labelNames: ['server'],
    samples: () => SERVERS.map((server) => ({ labels: { server }, value: evictions.counts.get(server) ?? 0 })),
  });
  counterOnScrape(registry, {
    name: 'nftlane_log_messages_dropped_total',
    help: 'Total number of log messages dropped because the reader of the log was too slow or its disk full',
    labelNames: [],
    samples: () => single(log.dropped),
  });
}
