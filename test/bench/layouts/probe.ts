// A program that runs one layout in its network namespace and measures the requested operations.
//
//   node test/bench/layouts/probe.ts chains|maps '{"services":1000,"endpoints":10,"timeoutMs":60000}'
//
// Reads requests as lines of JSON from standard input, and writes replies as lines to standard output.

import { createInterface } from 'node:readline';
import { chainLayout } from './chain-layout.ts';
import type { Layout, LayoutSetup, ProbeCommand, ProbeReply } from './layout.ts';
import { mapLayout } from './map-layout.ts';

const [name, json = '{}'] = process.argv.slice(2);
const setup: LayoutSetup = JSON.parse(json);
const layout: Layout = name === 'maps' ? mapLayout(setup) : chainLayout(setup);

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const order: ProbeCommand = JSON.parse(line);
  console.log(JSON.stringify(await execute(order)));
}
process.exit();

async function execute({ call, times = 1, budgetMs = Number.POSITIVE_INFINITY }: ProbeCommand): Promise<ProbeReply> {
  const ms: number[] = [];
  const started = performance.now();
  try {
    while (ms.length < times && performance.now() - started < budgetMs) ms.push(await layout[call]());
    return { ms };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
