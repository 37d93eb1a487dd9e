// The options of the bench.

import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly quick: boolean;
  /** Numbers of Services, ascending. */
  readonly sizes: readonly number[];
  /** Above this size only nftlane's layout is measured. */
  readonly largestChains: number;
  /** A load that takes longer is stopped. */
  readonly loadTimeoutMs: number;
  /** Measured changes of nftlane's layout at each size. */
  readonly samples: number;
  /** Rounds of traffic through each layout, and the duration of a round. */
  readonly trafficRounds: number;
  readonly trafficMs: number;
  readonly daemon: {
    readonly services: number;
    /** Starts with an empty kernel, at least two. */
    readonly starts: number;
    /** Single events, 50 ms apart. */
    readonly events: number;
    readonly observed: number;
    readonly churnSeconds: number;
    /** Moves of the node to another zone. */
    readonly zoneChanges: number;
  };
  /** The path of the JSON results. */
  readonly json: string | undefined;
}

const HELP = `node test/bench/bench.ts [--quick] [--sizes 100,1000,10000,30000] [--json FILE]
As environment: BENCH_QUICK=1, BENCH_SIZES, BENCH_JSON. Needs root, and dist/nftlane.mjs (make build).`;

/** Reads flags and environment; prints the help and exits with `--help`. */
export function readOptions(): BenchOptions {
  const { env } = process;
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: env['BENCH_QUICK'] === '1' },
      sizes: { type: 'string', ...(env['BENCH_SIZES'] === undefined ? {} : { default: env['BENCH_SIZES'] }) },
      json: { type: 'string', ...(env['BENCH_JSON'] === undefined ? {} : { default: env['BENCH_JSON'] }) },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit();
  }
  const sizes = values.sizes
    ?.split(',')
    .map(readSize)
    .sort((a, b) => a - b);
  return { ...(values.quick ? quick(sizes) : full(sizes)), json: values.json };
}

function readSize(text: string): number {
  const size = Number(text);
  // Cluster IPs come from a block of a million addresses, endpoints from one of eight millions.
  if (Number.isInteger(size) && size >= 10 && size <= 100_000) return size;
  throw new Error(`Cannot measure "${text}" Services: give whole numbers from 10 to 100000`);
}

function full(sizes: readonly number[] = [100, 1000, 10_000, 30_000]): Omit<BenchOptions, 'json'> {
  return {
    quick: false,
    sizes,
    largestChains: Number.POSITIVE_INFINITY,
    loadTimeoutMs: 240_000,
    samples: 400,
    trafficRounds: 3,
    trafficMs: 2000,
    daemon: { services: 10_000, starts: 3, events: 200, observed: 40, churnSeconds: 60, zoneChanges: 9 },
  };
}

function quick(sizes: readonly number[] = [100, 1000]): Omit<BenchOptions, 'json'> {
  return {
    quick: true,
    sizes,
    largestChains: 10_000,
    loadTimeoutMs: 60_000,
    samples: 200,
    trafficRounds: 2,
    trafficMs: 500,
    daemon: { services: 1000, starts: 2, events: 100, observed: 20, churnSeconds: 5, zoneChanges: 3 },
  };
}
