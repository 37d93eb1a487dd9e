// The metric of the connections that servers of the daemon closed to make room for others.

import type { Registry } from 'prom-client';
import { counterOnScrape } from './on-scrape.ts';

export interface EvictionCounts {
  /** By server. */
  readonly counts: ReadonlyMap<string, number>;
}

const SERVERS = ['health', 'service-health', 'metrics'] as const;

/** A server without such connections has the value 0. */
export function registerEvictions(registry: Registry, evictions: EvictionCounts): void {
  counterOnScrape(registry, {
    name: 'nftlane_http_evicted_connections_total',
    help: 'Total number of idle connections that a server of the daemon closed to make room for others',
    labelNames: ['server'],
    samples: () => SERVERS.map((server) => ({ labels: { server }, value: evictions.counts.get(server) ?? 0 })),
  });
}
