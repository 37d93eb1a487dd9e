// Metrics of the fast path: frontends, flows, packets and failures.
import { Counter, Gauge, type Registry } from 'prom-client';
import { SKIP_CAUSES } from '../../fastpath/eligibility/skip-reason.ts';
import type { PacketCount } from '../../fastpath/loader/loader-client.ts';
import type { FastPathStatus, FastPathTotals } from '../../fastpath/status/fast-path-status.ts';

/** Returns the status for a scrape, or `undefined` if the fast path is turned off. */
type CurrentStatus = () => FastPathStatus | undefined;

/** A value with the label that it has. */
type Sample = readonly [label: string, value: number];

/**
 * Registers the metrics. Each scrape calls `status`, which returns the last collection and does not read the kernel.
 * There are no series if the fast path is turned off.
 */
export function registerFastPathMetrics(registry: Registry, status: () => FastPathStatus | undefined): void {
  const current: CurrentStatus = () => {
    const seen = status();
    return seen?.mode === 'off' ? undefined : seen;
  };
  const { gauge, gauges, counter, packets } = createMetrics(registry, current);
  gauge('enabled', '1 if the fast path takes new flows, 0 if it is off for some reason', ({ state }) =>
    Number(state === 'on'),
  );
  gauge('failing', '1 while syncs of the fast path fail and attached programs keep running', (seen) =>
    Number(seen.failing !== undefined),
  );
  counter('sync_failures', 'Failed syncs of the fast path', ({ failures }) => failures);
  counter('loader_restarts', 'Restarts of nftlane-bpf after it had exited', ({ loaderRestarts }) => loaderRestarts);
  gauge('uplinks', 'Uplinks in use', ({ uplinks }) => {
    return uplinks.filter(({ reason }) => reason === undefined).length;
  });
  gauge('pod_devices', 'Pod devices with an attached program', ({ podDevices }) => podDevices.length);
  gauge('frontends', 'Frontends that the fast path serves', ({ frontends }) => frontends.length);
  gauge(
    'suspended_frontends',
    'Frontends whose new flows go to nftables because connections got no replies',
    (seen) => {
      return seen.frontends.filter(({ suspended }) => suspended !== undefined).length;
    },
  );
  counter('fallbacks', 'Suspensions of Service ports because connections got no replies', (totals) => {
    return totals.fallbacks;
  });
  gauges(
    'skipped_frontends',
    'Frontends with externalTrafficPolicy Local that nftables serves, by cause',
    'cause',
    ({ skipped }) => SKIP_CAUSES.map((cause) => [cause, skipped.filter((one) => one.cause === cause).length]),
  );
  gauge('slots', 'Backend slots in use', ({ slots }) => slots.used);
  gauge('draining_slots', 'Backend slots that only live flows use', ({ slots }) => slots.draining);
  const byFamily = (pick: (family: 'ip' | 'ip6') => number): Sample[] => [
    ['IPv4', pick('ip')],
    ['IPv6', pick('ip6')],
  ];
  gauges('flows', 'Live flows', 'ip_family', ({ flows }) => byFamily((family) => flows[family]));
  gauges('flow_entries', 'Entries in the flow table, two for each flow', 'ip_family', ({ flowTables }) =>
    byFamily((family) => flowTables[family].entries),
  );
  gauges('flow_entries_limit', 'Maximum number of entries in the flow table', 'ip_family', ({ flowTables }) =>
    byFamily((family) => flowTables[family].limit),
  );
  counter('collections', 'Collections of expired flows', ({ collections }) => collections);
  counter('collection_scanned_entries', 'Scanned entries of the flow tables', ({ scanned }) => scanned);
  counter('collection_deleted_entries', 'Deleted entries of expired flows', ({ deleted }) => {
    return deleted;
  });
  packets('forwarded', 'Packets forwarded by the fast path');
  packets('passed', 'Packets passed unmodified to the network stack');
}

/** Factories of metrics whose values are read at each scrape. */
function createMetrics(registry: Registry, current: CurrentStatus) {
  const registers = [registry];
  const nameOf = (name: string) => `nftlane_fastpath_${name}`;
  return {
    gauge: (name: string, help: string, value: (status: FastPathStatus) => number) =>
      new Gauge({
        name: nameOf(name),
        help,
        registers,
        collect() {
          const status = current();
          if (status === undefined) this.remove();
          else this.set(value(status));
        },
      }),
    gauges: (name: string, help: string, label: string, samples: (status: FastPathStatus) => readonly Sample[]) =>
      new Gauge({
        name: nameOf(name),
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset();
          const status = current();
          for (const [text, value] of status === undefined ? [] : samples(status)) this.set({ [label]: text }, value);
        },
      }),
    counter: (name: string, help: string, value: (totals: FastPathTotals) => number) =>
      new Counter({
        name: nameOf(`${name}_total`),
        help,
        registers,
        collect() {
          this.reset();
          const status = current();
          if (status === undefined) this.remove();
          else this.inc(value(status.totals));
        },
      }),
    packets: (outcome: PacketCount['outcome'], help: string) =>
      new Counter({
        name: nameOf(`${outcome}_packets_total`),
        help,
        labelNames: ['reason'] as const,
        registers,
        collect() {
          this.reset();
          for (const packets of current()?.packets ?? [])
            if (packets.outcome === outcome) this.inc({ reason: packets.reason.toLowerCase() }, packets.count);
        },
      }),
  };
}
