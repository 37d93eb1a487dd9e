// Runs the whole conformance grid and writes docs/conformance.md and docs/conformance.json.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { FAST_RUNS, type FastRun, runFast } from './fast-run.ts';
import { createGridWorld } from './grid-world.ts';
import { disagreements, toJson, toMarkdown, totalsOf } from './report.ts';
import { fastTotalsOf, runWords } from './report-fast.ts';
import { type Result, runGrid, SETUPS } from './run-grid.ts';
import { gridServices } from './services.ts';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const start = performance.now();
const seconds = () => (performance.now() - start) / 1000;
const world = await createGridWorld();
const results: Result[] = [];
const runs: FastRun[] = [];
try {
  for (const setup of SETUPS) {
    const alone = await runGrid(world, gridServices(), setup);
    results.push(...alone);
    say(`${setup.words}: ${alone.length} cells`);
    for (const { way } of FAST_RUNS.filter((run) => run.setup === setup)) {
      const run = await runFast(world, gridServices(), { setup, way, alone });
      runs.push(run);
      const { cells, byFastPath } = fastTotalsOf([run]);
      say(`${runWords(run)}: ${cells} cells, ${byFastPath} of them by the fast path`);
    }
  }
} finally {
  await world.close();
}
const totals = totalsOf(results, seconds());
const fast = fastTotalsOf(runs);
await writeFile(`${DOCS}conformance.json`, toJson(results, runs));
await writeFile(`${DOCS}conformance.md`, toMarkdown(results, runs, totals));
for (const line of disagreements(results, runs)) process.stdout.write(`${line}\n`);
process.stdout.write(`${JSON.stringify({ ...totals, fastPath: fast })}\n`);
process.exitCode = totals.disagreeing + fast.disagreeing === 0 ? 0 : 1;

function say(what: string): void {
  process.stdout.write(`${Math.round(seconds())} s: ${what}\n`);
}
