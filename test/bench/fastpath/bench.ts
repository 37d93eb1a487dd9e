// Measures what the fast path brings beside our own rules, in turns within one run; see `--help`.
// Exit status: 0 when all targets are met, 1 when one is missed.
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { describeMachine } from '../machine.ts';
import { makeScratch } from '../scratch.ts';
import { measureAlone, printAlone } from './alone.ts';
import { type Arena, type Comparison, compare } from './compare.ts';
import { type Figure, isMet, printFigures, serviceFigures, straightFigure } from './figures.ts';
import { type Load, type Server, serve } from './load.ts';
import { readOptions } from './options.ts';
import { createPlace, PODS, type PodName } from './place.ts';
import { loadPrograms } from './programs.ts';
import { loadRules, TARGET_PORT } from './rules.ts';
import { isQuick, measureUpdates, printUpdates } from './updates.ts';

const DATAGRAMS: Load = { kind: 'datagrams', sockets: 64 };
const SCATTERED: Load = { kind: 'scattered', sockets: 16_384 };
const CONNECTIONS: Load = { kind: 'connections', sockets: 16 };
/** One after the other. */
const REQUESTS: Load = { kind: 'requests', sockets: 1 };
const STREAM: Load = { kind: 'stream', sockets: 1 };

const options = readOptions();
makeScratch();
const families = options.quick ? (['ip'] as const) : FAMILIES;
/** Opening so many sockets takes longer than sending. */
const loads = [DATAGRAMS, ...(options.quick ? [] : [SCATTERED]), CONNECTIONS, REQUESTS, STREAM];
const startedAt = Date.now();
const machine = { ...(await describeMachine()), 'load at the start': load() };
const place = await createPlace();
const programs = await loadPrograms(place);
const figures: Figure[] = [];

try {
  const servers = { ip: await startServers('ip'), ip6: await startServers('ip6') };
  const arena: Arena = { place, programs, servers, rounds: options.rounds, ms: options.ms };
  const hook = await programs.hook();
  for (const family of families) await measureStraight(arena, { family, by: hook });
  if (hook === 'tcx') await measureStraight(arena, { family: 'ip', by: 'clsact' }, ' as on older kernels');
  await loadRules(place.node, { routed: place.pod('routed'), bridged: place.pod('bridged') });
  await measureStraight(arena, { family: 'ip', by: hook }, ', with our rules');
  for (const load of loads) await measureServices(arena, { load, by: hook }, 'on');
  await measureServices(arena, { load: STREAM, by: hook }, 'off');
} finally {
  await programs.close();
  await place.destroy();
}

const updates = await measureUpdates(options.rounds);
const alone = await measureAlone();
const facts = Object.entries({ ...machine, 'at the end': load() }).map(([name, value]) => `${name} ${value}`);
if (options.json !== undefined) {
  const results = { machine, figures: figures.map((figure) => ({ ...figure, met: isMet(figure) })), updates, alone };
  await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
}
console.log(`${facts.join(', ')}\n${options.rounds} rounds of ${options.ms} ms, all on one processor\n`);
console.log(`${printFigures(figures)}\n${printUpdates(updates)}\n${printAlone(alone)}`);
process.exitCode = figures.every(isMet) && updates.every(isQuick) ? 0 : 1;

async function startServers(family: Family): Promise<Record<PodName, Server>> {
  const start = (pod: PodName) => serve(place.pod(pod), place.pod(pod)[family], TARGET_PORT);
  return { routed: await start('routed'), bridged: await start('bridged') };
}

/** Datagrams to the pod's own address. */
async function measureStraight(arena: Arena, given: Pick<Comparison, 'family' | 'by'>, note = ''): Promise<void> {
  const ways = ['without', 'with'] as const;
  const comparison: Comparison = { ...given, load: DATAGRAMS, pod: 'routed', straight: true, ways };
  add(straightFigure(comparison, await compare(arena, comparison), note));
}

async function measureServices(
  arena: Arena,
  given: Pick<Comparison, 'load' | 'by'>,
  offloads: 'on' | 'off',
): Promise<void> {
  const ways = given.load === DATAGRAMS ? (['ended', 'without', 'with'] as const) : (['without', 'with'] as const);
  await place.offloads(offloads);
  for (const family of given.load === SCATTERED ? (['ip'] as const) : families) {
    for (const pod of PODS) {
      const comparison: Comparison = { ...given, pod, family, ways };
      add(...serviceFigures(comparison, await compare(arena, comparison), offloads));
    }
  }
}

/** Progress goes to standard error, so that the table alone can be kept. */
function add(...more: readonly Figure[]): void {
  figures.push(...more);
  const seconds = String(Math.round((Date.now() - startedAt) / 1000)).padStart(4);
  for (const { name, measured } of more) {
    process.stderr.write(`bench-fastpath: ${seconds} s  ${name.trim()}: ${measured.toFixed(2)}\n`);
  }
}

/** Of the last minute. */
function load(): string {
  return (loadavg()[0] ?? Number.NaN).toFixed(2);
}
