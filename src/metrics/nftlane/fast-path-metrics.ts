// The fast path: what it serves, what becomes of packets, and how it gets on.
import { Counter, Gauge, type Registry } from 'prom-client';
import { SKIP_CAUSES } from '../../fastpath/eligibility/skip-reason.ts';
import type { PacketCount } from '../../fastpath/loader/loader-client.ts';
import type { FastPathStatus, FastPathTotals } from '../../fastpath/status/fast-path-status.ts';

/** Where the values of a scrape come from: a view, unless the fast path is switched off. */
type CurrentStatus = () => FastPathStatus | undefined;

/** A value with the value of its metric's label. */
type Sample = readonly [label: string, value: number];

/**
 * Registers them. `view` is asked whenever the metrics are, and reads no kernel: it is what the fast path last collected.
 * Where it is switched off there are no series.
 */
export function registerFastPathMetrics(registry: Registry, status: () => FastPathStatus | undefined): void {
  const current: CurrentStatus = () => {
    const seen = status();
    return seen?.mode === 'off' ? undefined : seen;
  };
  const { gauge, gauges, counter, packets } = createMetrics(registry, current);
  gauge('enabled', '1 while the fast path takes packets, 0 while it is wanted and off', ({ state }) =>
    Number(state === 'on'),
  );
  gauge(
    'failing',
    '1 while it cannot be kept in step with Services and devices, and what is attached goes on',
    (seen) => Number(seen.failing !== undefined),
  );
  counter('sync_failures', 'Passes of work that failed and were tried again', ({ failures }) => failures);
  counter('loader_restarts', 'Starts of nftlane-bpf after it had ended', ({ loaderRestarts }) => loaderRestarts);
  gauge('uplinks', 'Uplinks that the fast path uses', ({ uplinks }) => {
    return uplinks.filter(({ reason }) => reason === undefined).length;
  });
  gauge('pod_devices', 'Devices of pods with a program', ({ podDevices }) => podDevices.length);
  gauge('frontends', 'Frontends that the fast path serves', ({ frontends }) => frontends.length);
  gauge(
    'suspended_frontends',
    'Those of them whose new flows are left to nft, for connections were not answered',
    (seen) => {
      return seen.frontends.filter(({ suspended }) => suspended !== undefined).length;
    },
  );
  counter('fallbacks', 'Service ports handed back to nft, for connections were not answered', (totals) => {
    return totals.fallbacks;
  });
  gauges('skipped_frontends', 'Frontends with the Local policy that are left to nft', 'cause', ({ skipped }) =>
    SKIP_CAUSES.map((cause) => [cause, skipped.filter((one) => one.cause === cause).length]),
  );
  gauge('slots', 'Slots of backends in use', ({ slots }) => slots.used);
  gauge('draining_slots', 'Those of them that only live flows use', ({ slots }) => slots.draining);
  const byFamily = (pick: (family: 'ip' | 'ip6') => number): Sample[] => [
    ['IPv4', pick('ip')],
    ['IPv6', pick('ip6')],
  ];
  gauges('flows', 'Flows that live', 'ip_family', ({ flows }) => byFamily((family) => flows[family]));
  gauges('flow_entries', 'Entries of the table of flows, two for each flow', 'ip_family', ({ flowTables }) =>
    byFamily((family) => flowTables[family].entries),
  );
  gauges('flow_entries_limit', 'How many entries it has room for', 'ip_family', ({ flowTables }) =>
    byFamily((family) => flowTables[family].limit),
  );
  counter('collections', 'Runs through the tables of flows', ({ collections }) => collections);
  counter('collection_scanned_entries', 'Entries that were looked at', ({ scanned }) => scanned);
  counter('collection_deleted_entries', 'Entries that were deleted, for their flows were over', ({ deleted }) => {
    return deleted;
  });
  packets('forwarded', 'Packets that went by the fast path');
  packets('passed', 'Packets that were handed on to the stack');
}

/** Makers of metrics whose values are read at each scrape. */
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
