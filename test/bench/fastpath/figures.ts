// The measured figures, their targets, and whether these are met.

import type { Family } from '../../../src/net/family.ts';
import { digits, formatMs } from '../report/format.ts';
import { printTable } from '../report/print-table.ts';
import { summarize } from '../report/statistics.ts';
import type { PodName } from './bench-network.ts';
import type { Comparison, Round, Variant } from './compare.ts';
import type { LoadKind } from './load-generator.ts';

/** The median of rounds, and their quartiles. */
export interface Figure {
  readonly name: string;
  readonly target: Target | undefined;
  readonly measured: number;
  readonly quartiles: readonly [number, number];
  /** Medians for one datagram, connection, request or byte, in nanoseconds. */
  readonly ns: { readonly without: number; readonly with: number };
}

export interface Target {
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
}

/** The rate with the programs, as a multiple of the one without. */
const RATE_TARGETS: Readonly<Record<LoadKind, Readonly<Record<PodName, number>> | undefined>> = {
  datagrams: { routed: 1.5, bridged: 1.7 },
  /** Both variants are bound by cache misses on the flows. */
  scattered: undefined,
  connections: { routed: 1.12, bridged: 1.12 },
  requests: { routed: 1.1, bridged: 1.1 },
  stream: { routed: 0.97, bridged: 0.97 },
};
const MTU_STREAM_TARGET = 1.25;
const DIRECT_TARGET = 0.94;
const FORWARDING_COST_TARGET = 0.3;

const NAMES: Readonly<Record<LoadKind, string>> = {
  datagrams: 'datagrams one way',
  scattered: 'the same, one of 16,384 flows each',
  connections: 'connect, request, close',
  requests: 'TCP request and response',
  stream: 'TCP stream',
};
const FAMILY_NAMES: Readonly<Record<Family, string>> = { ip: 'IPv4', ip6: 'IPv6' };

/** The ratio of a round, and the time of one counted thing by variant. */
interface Metric {
  readonly ratio: (round: Round) => number;
  readonly ns: (round: Round, variant: Variant) => number;
}

/** The figures of a load to a Service. */
export function serviceFigures(
  comparison: Comparison,
  { rounds, offloads }: { rounds: readonly Round[]; offloads: 'on' | 'off' },
): Figure[] {
  const { load, pod, family } = comparison;
  const isSegmented = load.kind === 'stream' && offloads === 'off';
  const limit = isSegmented ? MTU_STREAM_TARGET : RATE_TARGETS[load.kind]?.[pod];
  const size = load.kind === 'stream' ? `, ${isSegmented ? 'packets of the MTU' : 'TSO'}` : '';
  const name = `${NAMES[load.kind]}${size}: ${pod}, ${FAMILY_NAMES[family]}`;
  const target = limit === undefined ? undefined : ({ bound: 'at least', limit } as const);
  const rate = figure(rounds, { name, target, metric: RATE });
  if (!comparison.variants.includes('dropped')) return [rate];
  const cost = { bound: 'at most', limit: FORWARDING_COST_TARGET } as const;
  return [rate, figure(rounds, { name: '  forwarding one of them', target: cost, metric: FORWARDING })];
}

/** The cost of the programs for packets of no Service. Figures with a note have no target. */
export function directFigure(
  { family, hook }: Comparison,
  { rounds, note }: { rounds: readonly Round[]; note: string | undefined },
): Figure {
  const target = note === undefined ? ({ bound: 'at least', limit: DIRECT_TARGET } as const) : undefined;
  const name = `datagrams not for a Service: ${FAMILY_NAMES[family]}, ${hook}${note ?? ''}`;
  return figure(rounds, { name, target, metric: RATE });
}

const RATE: Metric = { ns: timeOf, ratio: (round) => timeOf(round, 'without') / timeOf(round, 'with') };

/** Of datagrams, without the cost of sending them. */
const FORWARDING: Metric = {
  ns: forwardingNs,
  ratio: (round) => forwardingNs(round, 'with') / forwardingNs(round, 'without'),
};

function forwardingNs(round: Round, variant: Variant): number {
  return timeOf(round, variant) - timeOf(round, 'dropped');
}

function timeOf(round: Round, variant: Variant): number {
  return round[variant]?.ns ?? Number.NaN;
}

function figure(
  rounds: readonly Round[],
  { name, target, metric }: Pick<Figure, 'name' | 'target'> & { metric: Metric },
): Figure {
  const { ratio, ns } = metric;
  const sorted = rounds.map(ratio).toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN;
  const median = (variant: Variant) => summarize(rounds.map((round) => ns(round, variant))).median;
  return {
    name,
    target,
    measured: at(0.5),
    quartiles: [at(0.25), at(0.75)],
    ns: { without: median('without'), with: median('with') },
  };
}

export function isTargetMet({ target, measured }: Figure): boolean {
  if (target === undefined) return true;
  return target.bound === 'at least' ? measured >= target.limit : measured <= target.limit;
}

export function printFigures(figures: readonly Figure[]): string {
  const header = ['', 'target', 'measured', 'quartiles', 'without', 'with', ''];
  return printTable('With the programs, relative to without', header, figures.map(row));
}

function row(figure: Figure): string[] {
  const { name, target, measured, quartiles, ns } = figure;
  const bound = target === undefined ? '' : `${target.bound === 'at least' ? '>=' : '<='} ${target.limit.toFixed(2)}`;
  const verdict = target === undefined ? '' : isTargetMet(figure) ? 'met' : 'MISSED';
  const range = quartiles.map((part) => part.toFixed(2)).join(' to ');
  return [name, bound, measured.toFixed(2), range, formatNs(ns.without), formatNs(ns.with), verdict];
}

/** Bytes take less than a nanosecond each, so small values keep decimals. */
function formatNs(value: number): string {
  return value < 100 ? `${digits(value)} ns` : formatMs(value / 1e6);
}
