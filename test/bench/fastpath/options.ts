// How much to measure.
import { parseArgs } from 'node:util';

export interface Options {
  readonly quick: boolean;
  /** Rounds of each comparison; in each of them every way has its turn. */
  readonly rounds: number;
  /** How long a turn lasts. */
  readonly ms: number;
  /** Where to write the results as JSON. */
  readonly json: string | undefined;
}

const HELP = `node test/bench/fastpath/bench.ts [--quick] [--rounds N] [--json FILE]
As environment: BENCH_QUICK=1, BENCH_JSON. Needs root, and make harness.`;

/** Reads flags and environment; prints the help and ends the process when that was asked for. */
export function readOptions(): Options {
  const { env } = process;
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: env['BENCH_QUICK'] === '1' },
      rounds: { type: 'string' },
      json: { type: 'string', ...(env['BENCH_JSON'] === undefined ? {} : { default: env['BENCH_JSON'] }) },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit();
  }
  const { quick, json } = values;
  return { quick, json, rounds: readRounds(values.rounds) ?? (quick ? 5 : 15), ms: quick ? 150 : 300 };
}

function readRounds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 1000) return rounds;
  throw new Error(`Cannot measure "${text}" rounds: give a whole number from 1 to 1000`);
}
