// Metrics of the fast path: frontends, flows, packets and failures.

import type { Registry } from 'prom-client';
import { SKIP_CAUSES } from '../../fastpath/eligibility/skip-reason.ts';
import type { PacketCount } from '../../fastpath/loader/loader-client.ts';
import type { FastPathStatus, FastPathTotals } from '../../fastpath/status/fast-path-status.ts';
import { counterOnScrape, gaugeOnScrape, single } from './on-scrape.ts';

/** Returns the status for a scrape; none if the fast path is turned off. */
type CurrentStatus = () => readonly FastPathStatus[];

/** Registers one metric, whose values are read at each scrape. */
type Register = (registry: Registry, current: CurrentStatus) => void;

/** A value with its label. */
type LabeledValue = readonly [label: string, value: number];

/**
 * Registers the metrics. Each scrape calls `status`, which returns the last collection and does not read the kernel.
 * There are no series if the fast path is turned off.
 */
export function registerFastPathMetrics(registry: Registry, status: () => FastPathStatus | undefined): void {
  const current: CurrentStatus = () => {
    const latest = status();
    return latest === undefined || latest.mode === 'off' ? [] : [latest];
  };
  for (const register of METRICS) register(registry, current);
}

const METRICS: readonly Register[] = [
  gauge('enabled', {
    help: '1 if the fast path takes new flows, otherwise 0',
    value: ({ state }) => Number(state === 'on'),
  }),
  gauge('failing', {
    help: '1 while syncs of the fast path fail and attached programs keep running',
    value: ({ failing }) => Number(failing !== undefined),
  }),
  counter('sync_failures', { help: 'Failed syncs of the fast path', value: ({ failures }) => failures }),
  counter('loader_restarts', {
    help: 'Restarts of nftlane-bpf after it had exited',
    value: ({ loaderRestarts }) => loaderRestarts,
  }),
  gauge('uplinks', {
    help: 'Uplinks in use',
    value: ({ uplinks }) => uplinks.filter(({ reason }) => reason === undefined).length,
  }),
  gauge('pod_devices', {
    help: 'Pod devices with an attached program',
    value: ({ podDevices }) => podDevices.length,
  }),
  gauge('frontends', { help: 'Frontends that the fast path serves', value: ({ frontends }) => frontends.length }),
  gauge('suspended_frontends', {
    help: 'Frontends whose new flows go to nftables because connections got no replies',
    value: ({ frontends }) => frontends.filter(({ suspended }) => suspended !== undefined).length,
  }),
  counter('fallbacks', {
    help: 'Suspensions of Service ports because connections got no replies',
    value: ({ fallbacks }) => fallbacks,
  }),
  labeledGauge('skipped_frontends', {
    help: 'Frontends with externalTrafficPolicy Local that nftables serves, by cause',
    label: 'cause',
    samples: ({ skipped }) =>
      SKIP_CAUSES.map((cause) => [cause, skipped.filter((frontend) => frontend.cause === cause).length]),
  }),
  gauge('slots', { help: 'Backend slots in use', value: ({ slots }) => slots.used }),
  gauge('draining_slots', { help: 'Backend slots that only live flows use', value: ({ slots }) => slots.draining }),
  familyGauge('flows', { help: 'Live flows', value: ({ flows }, family) => flows[family] }),
  familyGauge('flow_entries', {
    help: 'Entries in the flow table, two for each flow',
    value: ({ flowTables }, family) => flowTables[family].entries,
  }),
  familyGauge('flow_entries_limit', {
    help: 'Maximum number of entries in the flow table',
    value: ({ flowTables }, family) => flowTables[family].limit,
  }),
  counter('collections', { help: 'Collections of expired flows', value: ({ collections }) => collections }),
  counter('collection_scanned_entries', {
    help: 'Scanned entries of the flow tables',
    value: ({ scanned }) => scanned,
  }),
  counter('collection_deleted_entries', { help: 'Deleted entries of expired flows', value: ({ deleted }) => deleted }),
  packetCounter('forwarded', 'Packets forwarded by the fast path'),
  packetCounter('passed', 'Packets passed unmodified to the network stack'),
];

function gauge(name: string, { help, value }: { help: string; value: (status: FastPathStatus) => number }): Register {
  return (registry, current) => {
    const samples = () => current().flatMap((status) => single(value(status)));
    gaugeOnScrape(registry, { name: nameOf(name), help, labelNames: [], samples });
  };
}

function labeledGauge(
  name: string,
  {
    help,
    label,
    samples: valuesOf,
  }: { help: string; label: string; samples: (status: FastPathStatus) => readonly LabeledValue[] },
): Register {
  return (registry, current) => {
    const samples = () =>
      current().flatMap((status) => valuesOf(status).map(([text, value]) => ({ labels: { [label]: text }, value })));
    gaugeOnScrape(registry, { name: nameOf(name), help, labelNames: [label], samples });
  };
}

function familyGauge(
  name: string,
  { help, value }: { help: string; value: (status: FastPathStatus, family: 'ip' | 'ip6') => number },
): Register {
  return labeledGauge(name, {
    help,
    label: 'ip_family',
    samples: (status) => [
      ['IPv4', value(status, 'ip')],
      ['IPv6', value(status, 'ip6')],
    ],
  });
}

function counter(name: string, { help, value }: { help: string; value: (totals: FastPathTotals) => number }): Register {
  return (registry, current) => {
    const samples = () => current().flatMap(({ totals }) => single(value(totals)));
    counterOnScrape(registry, { name: nameOf(`${name}_total`), help, labelNames: [], samples });
  };
}

function packetCounter(outcome: PacketCount['outcome'], help: string): Register {
  return (registry, current) => {
    const samples = () =>
      current()
        .flatMap(({ packets }) => packets.filter((packet) => packet.outcome === outcome))
        .map(({ reason, count }) => ({ labels: { reason: reason.toLowerCase() }, value: count }));
    counterOnScrape(registry, { name: nameOf(`${outcome}_packets_total`), help, labelNames: ['reason'], samples });
  };
}

function nameOf(name: string): string {
  return `nftlane_fastpath_${name}`;
}
