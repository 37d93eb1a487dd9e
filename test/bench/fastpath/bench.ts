// Compares the fast path with our nftables rules, by turns within one run; see `--help`.
// Exit status: 0 when all targets are met, 1 when one is missed.

import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { describeMachine } from '../system/machine.ts';
import { makeScratch } from '../system/scratch.ts';
import { createBenchNetwork, PODS, type PodName } from './bench-network.ts';
import { type BenchContext, type Comparison, compare } from './compare.ts';
import { directFigure, type Figure, isTargetMet, printFigures, serviceFigures } from './figures.ts';
import { type Load, type Server, startServer } from './load-generator.ts';
import { measureUpdates, meetsTarget, printUpdates } from './map-updates.ts';
import { readOptions } from './options.ts';
import { measurePrograms, printProgramCosts } from './program-cost.ts';
import { loadPrograms } from './programs.ts';
import { loadRules, TARGET_PORT } from './rules.ts';

const DATAGRAMS: Load = { kind: 'datagrams', sockets: 64 };
const SCATTERED: Load = { kind: 'scattered', sockets: 16_384 };
const CONNECTIONS: Load = { kind: 'connections', sockets: 16 };
/** One at a time. */
const REQUESTS: Load = { kind: 'requests', sockets: 1 };
const STREAM: Load = { kind: 'stream', sockets: 1 };

const options = readOptions();
makeScratch();
const families = options.quick ? (['ip'] as const) : FAMILIES;
/** Opening so many sockets takes longer than sending. */
const loads = [DATAGRAMS, ...(options.quick ? [] : [SCATTERED]), CONNECTIONS, REQUESTS, STREAM];
const startedAt = Date.now();
const machine = { ...(await describeMachine()), 'load at the start': loadAverage() };
const network = await createBenchNetwork();
const programs = await loadPrograms(network);
const figures: Figure[] = [];

try {
  const servers = { ip: await startServers('ip'), ip6: await startServers('ip6') };
  const context: BenchContext = { network, programs, servers, rounds: options.rounds, ms: options.ms };
  const hook = await programs.bestHook();
  for (const family of families) await measureDirect(context, { family, hook });
  if (hook === 'tcx') await measureDirect(context, { family: 'ip', hook: 'clsact', note: ' as on older kernels' });
  await loadRules(network.node, { routed: network.pod('routed'), bridged: network.pod('bridged') });
  await measureDirect(context, { family: 'ip', hook, note: ', with our rules' });
  for (const load of loads) await measureServices(context, { load, hook, offloads: 'on' });
  await measureServices(context, { load: STREAM, hook, offloads: 'off' });
} finally {
  await programs.close();
  await network.destroy();
}

const updates = await measureUpdates(options.rounds);
const programCosts = await measurePrograms();
const facts = Object.entries({ ...machine, 'at the end': loadAverage() }).map(([name, value]) => `${name} ${value}`);
if (options.json !== undefined) {
  const results = {
    machine,
    figures: figures.map((figure) => ({ ...figure, met: isTargetMet(figure) })),
    updates,
    programCosts,
  };
  await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
}
console.log(`${facts.join(', ')}\n${options.rounds} rounds of ${options.ms} ms, all on one processor\n`);
console.log(`${printFigures(figures)}\n${printUpdates(updates)}\n${printProgramCosts(programCosts)}`);
process.exitCode = figures.every(isTargetMet) && updates.every(meetsTarget) ? 0 : 1;

async function startServers(family: Family): Promise<Record<PodName, Server>> {
  const start = (pod: PodName) =>
    startServer(network.pod(pod), { address: network.pod(pod)[family], port: TARGET_PORT });
  return { routed: await start('routed'), bridged: await start('bridged') };
}

/** Datagrams to the pod's own address. */
async function measureDirect(
  context: BenchContext,
  { note, ...given }: Pick<Comparison, 'family' | 'hook'> & { note?: string },
): Promise<void> {
  const variants = ['without', 'with'] as const;
  const comparison: Comparison = { ...given, load: DATAGRAMS, pod: 'routed', direct: true, variants };
  add(directFigure(comparison, { rounds: await compare(context, comparison), note }));
}

async function measureServices(
  context: BenchContext,
  { offloads, ...given }: Pick<Comparison, 'load' | 'hook'> & { offloads: 'on' | 'off' },
): Promise<void> {
  const variants =
    given.load === DATAGRAMS ? (['dropped', 'without', 'with'] as const) : (['without', 'with'] as const);
  await network.setOffloads(offloads);
  for (const family of given.load === SCATTERED ? (['ip'] as const) : families) {
    for (const pod of PODS) {
      const comparison: Comparison = { ...given, pod, family, variants };
      add(...serviceFigures(comparison, { rounds: await compare(context, comparison), offloads }));
    }
  }
}

/** Progress goes to standard error, so that standard output has only the tables. */
function add(...more: readonly Figure[]): void {
  figures.push(...more);
  const seconds = String(Math.round((Date.now() - startedAt) / 1000)).padStart(4);
  for (const { name, measured } of more) {
    process.stderr.write(`bench-fastpath: ${seconds} s  ${name.trim()}: ${measured.toFixed(2)}\n`);
  }
}

/** Of the last minute, by uptime(1). */
function loadAverage(): string {
  return (loadavg()[0] ?? Number.NaN).toFixed(2);
}
