// Runs the whole conformance grid and writes docs/conformance.md and docs/conformance.json.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createGridWorld } from './grid-world.ts';
import { line, toJson, toMarkdown, totalsOf } from './report.ts';
import { type Result, runGrid, SETUPS } from './run-grid.ts';
import { gridServices } from './services.ts';

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const start = performance.now();
const world = await createGridWorld();
const results: Result[] = [];
try {
  for (const setup of SETUPS) {
    results.push(...(await runGrid(world, gridServices(), setup)));
    process.stdout.write(`${setup.words}: ${results.length} cells so far\n`);
  }
} finally {
  await world.close();
}
const totals = totalsOf(results, (performance.now() - start) / 1000);
await writeFile(`${DOCS}conformance.json`, toJson(results));
await writeFile(`${DOCS}conformance.md`, toMarkdown(results, totals));
for (const result of results.filter(({ differences }) => differences.length > 0))
  process.stdout.write(`${line(result)}\n`);
process.stdout.write(`${JSON.stringify(totals)}\n`);
process.exitCode = totals.disagreeing === 0 ? 0 : 1;
