// The performance targets, and whether they were met.

import { digits } from './format.ts';
import { printTable } from './print-table.ts';
import type { LayoutResults, Results } from './results.ts';
import { type Summary, summarize } from './statistics.ts';

export interface Target {
  readonly name: string;
  readonly limit: number;
  readonly measured: number;
  readonly unit: string;
  /** A goal: shown for information, and missing it is not a failure. */
  readonly isGoal?: true;
}

/** Changes during the last sync are not a backlog: a sync is due every 20 ms and takes some time. */
const DRAIN_LIMIT_MS = 100;

export function targetsOf({ sizes, daemon, zone, repairs }: Results): Target[] {
  const at = `${daemon.services.toLocaleString('en-US')} x ${daemon.endpoints}`;
  const nftMb = [daemon.nftPeakMb, ...sizes.map(({ layouts }) => layouts.maps.loadNftMb ?? 0)];
  const completeMs = summarize(daemon.starts.map((start) => start.completeMs)).median;
  const { churn, latencyMs } = daemon;
  return [
    { name: `${at} from the API server to the kernel`, limit: 2, measured: completeMs / 1000, unit: 's' },
    { name: `daemon's memory at ${at}`, limit: 200, measured: daemon.settledRssMb, unit: 'MB' },
    { name: "nft's memory, at most", limit: 64, measured: Math.max(...nftMb), unit: 'MB' },
    { name: '  in a restart (a goal)', limit: 64, measured: daemon.restartNftMb, unit: 'MB', isGoal: true },
    { name: `one endpoint changed at ${at}, median`, limit: 15, measured: latencyMs.median, unit: 'ms' },
    { name: '  99 of 100', limit: 50, measured: latencyMs.p99, unit: 'ms' },
    ...growth(sizes),
    {
      name: `${churn.perSecond} changes a second for ${churn.seconds} s: done after the last in`,
      limit: DRAIN_LIMIT_MS,
      measured: churn.drainMs,
      unit: 'ms',
    },
    { name: '  processor', limit: 0.5, measured: churn.cpuShare, unit: 'cores' },
    { name: `the node in another zone at ${at}, median`, limit: 1, measured: zone.latencyMs.median / 1000, unit: 's' },
    ...repairTargets(repairs),
  ];
}

/** Loading all elements again takes longer than a second at the largest sizes, so that these repairs are goals. */
function repairTargets({ times }: Results['repairs']): Target[] {
  return Object.entries(times).flatMap(([change, { noticedMs, repairedMs }]) => {
    const goal = RELOADS.has(change) ? ({ isGoal: true } as const) : {};
    return [
      { name: `${change} by another process: noticed`, limit: 0.1, measured: noticedMs / 1000, unit: 's', ...goal },
      { name: '  repaired', limit: 1, measured: repairedMs / 1000, unit: 's', ...goal },
    ];
  });
}

const RELOADS: ReadonlySet<string> = new Set(['map endpoints flushed', 'table deleted', 'ruleset flushed']);

/** The cost of a change at the largest size in relation to the smallest. */
function growth(sizes: Results['sizes']): Target[] {
  const [first, last] = [sizes[0], sizes.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  const numbers = [last, first].map(({ services }) => services.toLocaleString('en-US')).join(' to one at ');
  const ratio = (of: (maps: LayoutResults) => Summary | undefined): number =>
    (of(last.layouts.maps)?.median ?? Number.NaN) / (of(first.layouts.maps)?.median ?? Number.NaN);
  const common = { limit: 1.5, unit: 'x' };
  return [
    { ...common, name: `a change at ${numbers} Services`, measured: ratio(({ changeMs }) => changeMs) },
    { ...common, name: '  one endpoint more (a goal)', measured: ratio(({ growMs }) => growMs), isGoal: true },
  ];
}

/** Whether a target is met. Goals always are. */
export function isKept(target: Target): boolean {
  return target.isGoal === true || isMet(target);
}

function isMet({ measured, limit }: Target): boolean {
  return measured <= limit;
}

export function printTargets(targets: readonly Target[]): string {
  const rows = targets.map((target) => {
    const { name, limit, measured, unit } = target;
    return [
      name,
      `<= ${limit} ${unit}`,
      `${digits(measured)} ${unit}`,
      isMet(target) ? 'met' : target.isGoal ? 'not yet' : 'MISSED',
    ];
  });
  return printTable('Targets', ['', 'target', 'measured', ''], rows);
}
