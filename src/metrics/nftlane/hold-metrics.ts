// Metrics of mass losses of Services that are held back.

import type { Registry } from 'prom-client';
import type { SourceGuard } from '../../sources/guard/source-guard.ts';
import { counterOnScrape, gaugeOnScrape, single } from './on-scrape.ts';

export type HoldCounts = SourceGuard['counts'];

/** Registers the metrics. They have no value without counts. */
export function registerHoldMetrics(registry: Registry, counts: () => HoldCounts | undefined): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_held_services',
    help: 'Number of Services that the source lost suddenly and that are kept as last known',
    labelNames: [],
    samples: () => single(counts()?.heldServices),
  });
  counterOnScrape(registry, {
    name: 'nftlane_service_loss_holds_total',
    help: 'Total number of sudden losses of most Services that were held back',
    labelNames: [],
    samples: () => single(counts()?.holds),
  });
}
