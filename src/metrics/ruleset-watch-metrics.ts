// Metrics of the notifications and repairs of changes by other processes.

import type { Registry } from 'prom-client';
import type { VerificationStatus } from '../controller/repair/element-verifier.ts';
import type { RulesetContest } from '../controller/repair/repairs.ts';
import type { NftMonitorStatus } from '../nftables/client/monitor/nft-monitor.ts';
import { counterOnScrape, gaugeOnScrape, single } from './nftlane/on-scrape.ts';

/** The sources of the metrics. */
export interface RulesetWatch {
  readonly monitor: () => NftMonitorStatus;
  readonly contest: () => RulesetContest | undefined;
  readonly verification: () => VerificationStatus;
}

/** Registers the metrics, which are read at each scrape. `watch` returns `undefined` while nothing is running. */
export function registerRulesetWatchMetrics(registry: Registry, watch: () => RulesetWatch | undefined): void {
  const gauge = (name: string, help: string, value: () => number) =>
    gaugeOnScrape(registry, { name, help, labelNames: [], samples: () => single(value()) });
  gauge(
    'nftlane_nft_monitor_listening',
    '1 while the kernel notifies nftlane of changes of the ruleset, otherwise 0',
    () => (watch()?.monitor().state === 'listening' ? 1 : 0),
  );
  counterOnScrape(registry, {
    name: 'nftlane_nft_monitor_starts_total',
    help: 'Total number of nft monitors started',
    labelNames: [],
    samples: () => single(watch()?.monitor().starts ?? 0),
  });
  gauge('nftlane_ruleset_contested', '1 while another process keeps undoing repairs of the ruleset, otherwise 0', () =>
    watch()?.contest() === undefined ? 0 : 1,
  );
  gauge(
    'nftlane_repair_wait_seconds',
    'Time that repairs of the ruleset wait because another process undoes them, in seconds',
    () => (watch()?.contest()?.waitMs ?? 0) / 1000,
  );
  gauge(
    'nftlane_verification_age_seconds',
    'Time since all elements in the kernel were last compared with those that nftlane wrote, in seconds; -1 before',
    () => {
      const endedMs = watch()?.verification().roundEndedMs;
      return endedMs === undefined ? -1 : endedMs / 1000;
    },
  );
  gauge(
    'nftlane_verification_differences',
    'Number of elements that differed in the last comparison of all elements, and were repaired',
    () => watch()?.verification().differences ?? 0,
  );
}
