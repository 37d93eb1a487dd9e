// Runs the truth test: TRUTH_STATES=10000 TRUTH_SEED=1 node test/truth/main.ts (as root). Exits with 1 if a tool lied.
// TRUTH_FIRST=5108 TRUTH_STATES=1 repeats that state of the run with this seed.

import { runTruth, type TruthReport } from './run-truth.ts';

const count = Number(process.env['TRUTH_STATES'] ?? 10_000);
const first = Number(process.env['TRUTH_FIRST'] ?? 0);
const seed = Number(process.env['TRUTH_SEED'] ?? Date.now() % 2 ** 31);
console.log(`seed ${seed}, ${count} states from ${first}`);
let shown = Date.now();
let printed = 0;

function onProgress(report: TruthReport): void {
  for (; printed < report.lies.length; printed++) console.log(`\nLIE ${report.lies[printed]}\n`);
  if (Date.now() - shown < 10_000) return;
  shown = Date.now();
  console.log(summary(report));
}

function summary({ states, changes, claims, equal, cautious, lies }: TruthReport): string {
  return `${states} states, ${changes} changes, ${claims} flows called forwarded, ${equal} changes without difference, ${cautious} of a tenth of the doubted flows worked, ${lies.length} lies`;
}

const report = await runTruth({ seed, count, first, onProgress });
console.log(summary(report));
process.exitCode = report.lies.length === 0 ? 0 : 1;
