// Measures both layouts at one size, in alternation.

import type { BenchOptions } from '../options.ts';
import type { LayoutResults, SizeResults } from '../report/results.ts';
import { type Summary, summarize } from '../report/statistics.ts';
import { measureTraffic } from '../traffic/measure-traffic.ts';
import { LAYOUT_NAMES, type Layout, type LayoutName, type ProbeCommand } from './layout.ts';
import { createLayoutBench, type LayoutBench } from './layout-bench.ts';
import { endpointsAt } from './services.ts';

type Open = Readonly<Partial<Record<LayoutName, LayoutBench>>>;
type PartialResults = Record<LayoutName, Partial<LayoutResults>>;

export async function measureLayouts(
  services: number,
  options: BenchOptions,
  say: (message: string) => void,
): Promise<SizeResults> {
  const endpoints = endpointsAt(services);
  const names = services > options.largestChains ? (['maps'] as const) : LAYOUT_NAMES;
  const setup = { services, endpoints, timeoutMs: options.loadTimeoutMs };
  const open: Partial<Record<LayoutName, LayoutBench>> = {};
  const found: PartialResults = { chains: {}, maps: {} };
  try {
    for (const name of names) open[name] = await createLayoutBench(name, setup);
    say('full load');
    await load(open, services, found);
    for (const name of LAYOUT_NAMES) if (found[name].failure !== undefined) await close(open, name);
    say('changes');
    await change(open, options, found);
    say('listing');
    await forEach(open, found, { listMs: { call: 'list', times: 3, budgetMs: 5000 } });
    say('traffic');
    await measureTraffic(open, { services, options, found });
  } finally {
    await Promise.all(Object.values(open).map((arena) => arena.close()));
  }
  return { services, endpoints, layouts: found };
}

/** Small loads are measured several times. */
async function load(open: Open, services: number, found: PartialResults): Promise<void> {
  const rounds = services <= 1000 ? 5 : services <= 10_000 ? 2 : 1;
  const times: Record<LayoutName, number[]> = { chains: [], maps: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, arena] of layoutBenches(open)) {
      try {
        const { ms, nftMb } = await arena.load();
        times[name].push(ms);
        found[name] = {
          loadMs: summarize(times[name]),
          loadNftMb: Math.max(nftMb, found[name].loadNftMb ?? 0),
        };
      } catch (error) {
        found[name] = { failure: error instanceof Error ? error.message : String(error) };
      }
    }
  }
}

/** nftlane's layout gets more samples, to show that slow changes are rare. */
async function change(open: Open, options: BenchOptions, found: PartialResults): Promise<void> {
  const few = options.quick ? 5 : 10;
  await forEach(open, found, { prepareMs: { call: 'prepare', times: few, budgetMs: 12_000 } });
  // The first changes of a process are slower: V8 has not compiled the code, and nft reads the table for the first time.
  await forEach(open, undefined, { changeMs: { call: 'change', times: 20, budgetMs: 2000 } });
  const times: Record<LayoutName, number> = { chains: few * 3, maps: options.samples };
  for (const [name, arena] of layoutBenches(open)) {
    const only: Open = { [name]: arena };
    await forEach(only, found, { changeMs: { call: 'change', times: times[name] } });
    await forEach(only, found, { growMs: { call: 'grow', times: Math.ceil(times[name] / 4) } });
    await forEach(only, found, { addMs: { call: 'add', times: Math.ceil(times[name] / 4) } });
  }
}

async function forEach(
  open: Open,
  found: PartialResults | undefined,
  orders: Readonly<Record<string, ProbeCommand & { call: keyof Layout }>>,
): Promise<void> {
  for (const [result, { call, ...how }] of Object.entries(orders)) {
    for (const [name, arena] of layoutBenches(open)) {
      const summary: Summary = summarize(await arena.time(call, how));
      if (found !== undefined) found[name] = { ...found[name], [result]: summary };
    }
  }
}

async function close(open: Partial<Record<LayoutName, LayoutBench>>, name: LayoutName): Promise<void> {
  const arena = open[name];
  delete open[name];
  await arena?.close();
}

export function layoutBenches(open: Open): [LayoutName, LayoutBench][] {
  return Object.entries(open) as [LayoutName, LayoutBench][];
}
