// Measures new connections and flows through both layouts, in alternation.

import type { LayoutName } from '../layouts/layout.ts';
import type { LayoutBench } from '../layouts/layout-bench.ts';
import type { BenchOptions } from '../options.ts';
import type { LayoutResults, TrafficSummary } from '../report/results.ts';
import { summarize } from '../report/statistics.ts';
import type { TrafficRequest, TrafficResult } from './traffic-request.ts';

/** Enough to keep two processors busy. */
const CONCURRENCY = 4;
/** Keeps the flows of a round far below the default size of the conntrack table. */
const FLOWS_PER_MS = 15;

export interface TrafficMeasurement {
  readonly services: number;
  readonly options: BenchOptions;
  readonly found: Record<LayoutName, Partial<LayoutResults>>;
}

export async function measureTraffic(
  open: Readonly<Partial<Record<LayoutName, LayoutBench>>>,
  { services, options: { trafficRounds, trafficMs }, found }: TrafficMeasurement,
): Promise<void> {
  const orders: readonly TrafficRequest[] = [
    { kind: 'tcp', services, ms: trafficMs, concurrency: CONCURRENCY },
    { kind: 'udp', services, flows: trafficMs * FLOWS_PER_MS },
  ];
  const arenas = Object.entries(open) as [LayoutName, LayoutBench][];
  for (const order of orders) {
    const results: Record<LayoutName, TrafficResult[]> = { chains: [], maps: [] };
    for (const [, arena] of arenas) await arena.dial(shortened(order));
    for (let round = 0; round < trafficRounds; round++) {
      const inTurn = round % 2 === 0 ? arenas : arenas.toReversed();
      for (const [name, arena] of inTurn) results[name].push(await arena.dial(order));
    }
    for (const [name] of arenas) found[name] = { ...found[name], [order.kind]: average(results[name]) };
  }
}

/** A tenth of the traffic, to warm up. */
function shortened(order: TrafficRequest): TrafficRequest {
  return order.kind === 'tcp' ? { ...order, ms: order.ms / 10 } : { ...order, flows: order.flows / 10 };
}

function average(results: readonly TrafficResult[]): TrafficSummary {
  const median = (of: (result: TrafficResult) => number): number => summarize(results.map(of)).median;
  return {
    perSecond: median(({ perSecond }) => perSecond),
    p50Ms: median(({ latencyMs }) => latencyMs.median),
    p99Ms: median(({ latencyMs }) => latencyMs.p99),
    failures: results.reduce((sum, { failures }) => sum + failures, 0),
  };
}
