// Benchmarks the chain-per-Service layout beside nftlane's layout, and the whole daemon; see `--help`.
// Exit status: 0 when all targets are met, 1 when one is missed; goals are reported but do not count.

import { writeFile } from 'node:fs/promises';
import { TABLE } from '../../src/nftables/syntax/operation.ts';
import { measureDaemon } from './daemon/measure-daemon.ts';
import { measureRepairs } from './daemon/measure-repairs.ts';
import { measureZone } from './daemon/measure-zone.ts';
import { measureLayouts } from './layouts/measure-layouts.ts';
import { readOptions } from './options.ts';
import { printResults } from './report/print-results.ts';
import type { Results, SizeResults } from './report/results.ts';
import { isKept, printTargets, targetsOf } from './report/targets.ts';
import { describeMachine } from './system/machine.ts';
import { makeScratch } from './system/scratch.ts';

const options = readOptions();
const scratch = makeScratch();
const machine = await describeMachine();
const startedAt = Date.now();

const sizes: SizeResults[] = [];
for (const services of options.sizes) {
  sizes.push(await measureLayouts(services, options, (message) => logProgress(`${services} Services: ${message}`)));
}
const bench = { options: options.daemon, scratch, say: (message: string) => logProgress(`${TABLE}: ${message}`) };
const daemon = await measureDaemon(bench);
const zone = await measureZone(bench);
const repairs = await measureRepairs(bench);
const results: Results = { machine, sizes, daemon, zone, repairs };
const targets = targetsOf(results);
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ ...results, targets }, null, 2)}\n`);
console.log(`${printResults(results)}\n${printTargets(targets)}`);
process.exitCode = targets.every(isKept) ? 0 : 1;

/** Writes progress to standard error, so that standard output has only the tables. */
function logProgress(message: string): void {
  const seconds = String(Math.round((Date.now() - startedAt) / 1000)).padStart(4);
  process.stderr.write(`bench: ${seconds} s  ${message}\n`);
}
