// Runs the whole conformance grid and writes docs/conformance.md and docs/conformance.json.

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createConformanceWorld } from './conformance-world.ts';
import { FAST_PATH_RUNS, type FastPathRun, runWithFastPath } from './fast-path-run.ts';
import { disagreements, toJson, toMarkdown, totalsOf } from './report.ts';
import { describeRun, fastPathTotalsOf } from './report-fast-path.ts';
import { type Result, runGrid, SETUPS } from './run-grid.ts';
import { gridServices } from './services.ts';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const start = performance.now();
const seconds = () => (performance.now() - start) / 1000;
const world = await createConformanceWorld();
const results: Result[] = [];
const runs: FastPathRun[] = [];
try {
  for (const setup of SETUPS) {
    const withoutFastPath = await runGrid(world, gridServices(), setup);
    results.push(...withoutFastPath);
    logProgress(`${setup.description}: ${withoutFastPath.length} cells`);
    for (const { variant } of FAST_PATH_RUNS.filter((run) => run.setup === setup)) {
      const run = await runWithFastPath(world, gridServices(), { setup, variant, withoutFastPath });
      runs.push(run);
      const { cells, byFastPath } = fastPathTotalsOf([run]);
      logProgress(`${describeRun(run)}: ${cells} cells, ${byFastPath} of them by the fast path`);
    }
  }
} finally {
  await world.close();
}
const totals = totalsOf(results, seconds());
const fast = fastPathTotalsOf(runs);
await writeFile(`${DOCS}conformance.json`, toJson(results, runs));
await writeFile(`${DOCS}conformance.md`, toMarkdown(results, runs, totals));
for (const line of disagreements(results, runs)) process.stdout.write(`${line}\n`);
process.stdout.write(`${JSON.stringify({ ...totals, fastPath: fast })}\n`);
process.exitCode = totals.disagreeing + fast.disagreeing === 0 ? 0 : 1;

function logProgress(message: string): void {
  process.stdout.write(`${Math.round(seconds())} s: ${message}\n`);
}
