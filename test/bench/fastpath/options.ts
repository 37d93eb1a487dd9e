// The options of the bench.

import { parseArgs } from 'node:util';

export interface Options {
  readonly quick: boolean;
  /** Rounds of each comparison. Each has a turn of every variant. */
  readonly rounds: number;
  /** The duration of a turn in milliseconds. */
  readonly ms: number;
  /** The path for the results as JSON. */
  readonly json: string | undefined;
}

const HELP = `node test/bench/fastpath/bench.ts [--quick] [--rounds N] [--json FILE]
Environment: BENCH_QUICK=1, BENCH_JSON. Needs root and "make harness".`;

/** Reads flags and environment. For --help, prints it and exits. */
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
  throw new Error(`Cannot read --rounds: "${text}": must be an integer from 1 to 1000`);
}
