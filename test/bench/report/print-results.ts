// Prints the results as tables, one for each topic.

import { formatCount, formatMb, formatMs, formatRate, formatRatio } from './format.ts';
import { printTable } from './print-table.ts';
import type {
  DaemonResults,
  LayoutResults,
  RepairResults,
  Results,
  SizeResults,
  StartResults,
  TrafficSummary,
  ZoneResults,
} from './results.ts';
import { type Summary, summarize } from './statistics.ts';

const HEADER = ['Services x endpoints', 'chains', 'maps', 'chains/maps'];

export function printResults({ machine, sizes, daemon, zone, repairs }: Results): string {
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  return [
    facts.join(', '),
    'chains: a chain for each Service, as other proxies have it; maps: ours',
    '',
    ...(sizes.length === 0 ? [] : topics(sizes)),
    printDaemon(daemon, zone),
    printRepairs(repairs),
  ].join('\n');
}

function topics(sizes: readonly SizeResults[]): string[] {
  const topic = (title: string, rows: readonly Row[]): string =>
    printTable(
      title,
      HEADER,
      sizes.flatMap((size) => rows.map((row) => printRow(size, row))),
    );
  return [
    topic('Full load, by nft alone', [
      { label: '', value: (found) => found.loadMs?.median, format: formatMs, explains: true },
      { label: '  most memory of nft', value: (found) => found.loadNftMb, format: formatMb },
    ]),
    topic(
      'An endpoint in place of another (chains: with the listing before each change)',
      changes((found) => found.changeMs),
    ),
    topic(
      'One endpoint more (with the listing, too)',
      changes((found) => found.growMs),
    ),
    topic(
      'One Service added (with the listing, too)',
      changes((found) => found.addMs),
    ),
    topic('The listing before each change', [
      { label: '', value: (found) => found.prepareMs?.median || undefined, format: formatMs },
    ]),
    topic('nft list table', [{ label: '', value: (found) => found.listMs?.median, format: formatMs }]),
    topic(
      'New TCP connections from a client through the node (a higher rate is better)',
      traffic(({ tcp }) => tcp),
    ),
    topic(
      'First datagrams of new UDP flows on the same way',
      traffic(({ udp }) => udp),
    ),
  ];
}

interface Row {
  readonly label: string;
  readonly value: (found: LayoutResults) => number | undefined;
  readonly format: (value: number | undefined) => string;
  /** The reasons of missing values. */
  readonly explains?: boolean;
}

function printRow({ services, endpoints, layouts }: SizeResults, { label, value, format, explains }: Row): string[] {
  const [chains, maps] = [value(layouts.chains), value(layouts.maps)];
  const cell = (found: LayoutResults): string => (explains && found.failure) || format(value(found));
  const name = label === '' ? `${formatCount(services)} x ${endpoints}` : label;
  return [name, cell(layouts.chains), cell(layouts.maps), formatRatio(chains, maps)];
}

function changes(of: (found: LayoutResults) => Summary | undefined): Row[] {
  return [
    { label: '', value: (found) => plus(found.prepareMs?.median, of(found)?.median), format: formatMs },
    { label: '  99 of 100', value: (found) => plus(found.prepareMs?.p99, of(found)?.p99), format: formatMs },
    { label: '  without the listing', value: (found) => of(found)?.median, format: formatMs },
  ];
}

function traffic(of: (found: LayoutResults) => TrafficSummary | undefined): Row[] {
  return [
    { label: '', value: (found) => of(found)?.perSecond, format: formatRate },
    { label: '  median', value: (found) => of(found)?.p50Ms, format: formatMs },
    { label: '  99 of 100', value: (found) => of(found)?.p99Ms, format: formatMs },
  ];
}

function plus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function printDaemon(daemon: DaemonResults, zone: ZoneResults): string {
  const { services, endpoints, starts, restarts, churn, ...rest } = daemon;
  const stage = (of: (start: StartResults) => number): string => formatMs(summarize(starts.map(of)).median);
  const { latencyMs, observedMs } = rest;
  const rows = [
    ['start to complete ruleset, median', stage(({ completeMs }) => completeMs)],
    ['  until it asks the API server', stage(({ startedMs }) => startedMs)],
    ['  until it has the lists', stage(({ startedMs, listedMs }) => listedMs - startedMs)],
    ['  until the kernel has it all', stage(({ listedMs, completeMs }) => completeMs - listedMs)],
    ['restart, the kernel left as it was', formatMs(summarize(restarts.map(({ completeMs }) => completeMs)).median)],
    ['memory when settled', formatMb(rest.settledRssMb)],
    ['memory at most', formatMb(rest.peakRssMb)],
    ['memory of its nft at most', formatMb(rest.nftPeakMb)],
    ['  in a restart', formatMb(rest.restartNftMb)],
    ['one endpoint changed, event to commit, median', formatMs(latencyMs.median)],
    ['  99 of 100', formatMs(latencyMs.p99)],
    ['order at the API server to commit, as nft monitor sees it', formatMs(observedMs.median)],
    ['  99 of 100', formatMs(observedMs.p99)],
    [`${churn.perSecond} changes a second for ${churn.seconds} s: not in the kernel at the end`, `${churn.backlog}`],
    ['  until they were', formatMs(churn.drainMs)],
    ['  event to commit, median', formatMs(churn.latencyMs.median)],
    ['  at most', formatMs(churn.latencyMs.max)],
    ['  processor, daemon and nft', `${churn.cpuShare.toFixed(2)} cores`],
    [
      'the node in another zone: every Service has other endpoints, event to commit, median',
      formatMs(zone.latencyMs.median),
    ],
    ['  at most', formatMs(zone.latencyMs.max)],
    ['  operations', formatCount(zone.operations)],
  ];
  const title = `The daemon with ${formatCount(services)} Services x ${endpoints} endpoints from an API server over HTTPS`;
  return printTable(title, ['', 'maps'], rows);
}

function printRepairs({ services, endpoints, times }: RepairResults): string {
  const rows = Object.entries(times).map(([change, { commandMs, noticedMs, repairedMs }]) => [
    change,
    ...[commandMs, noticedMs, repairedMs].map((ms) => formatMs(Math.max(0, ms))),
  ]);
  const title = `Changes by another process with ${formatCount(services)} Services x ${endpoints} endpoints`;
  return printTable(title, ['', 'nft', 'noticed after it', 'repaired after it'], rows);
}
