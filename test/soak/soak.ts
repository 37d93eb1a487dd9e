// Changes 100 endpoints a second for an hour, and checks that the daemon does not need more at the end than after five minutes.
//
//   SOAK_SECONDS=3600 SOAK_SERVICES=5000 node test/soak/soak.ts
//
// Exits with 1 when memory, handles or latency have grown, or the kernel differs from the objects.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type DaemonProcess, startDaemon } from '../bench/daemon/daemon-process.ts';
import { summarize } from '../bench/report/statistics.ts';
import { memoryMb, openFiles } from '../bench/system/proc.ts';
import { type Program, startProgram } from '../bench/system/program.ts';
import { createWorld } from '../support/netns/world.ts';

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 3600);
const SERVICES = Number(process.env['SOAK_SERVICES'] ?? 5000);
const PER_SECOND = 100;
const ROUND_SECONDS = 10;
/** Memory is compared with that after five minutes, or a third of a shorter run. */
const WARM_UP_SECONDS = Math.min(300, SECONDS / 3);
const MAX_MEMORY_RATIO = 1.1;
/** A listing or a scrape may be open at the moment of a sample. */
const MAX_MORE_FILES = 5;
const MAX_LATENCY_RATIO = 2;
const PROGRAM = fileURLToPath(new URL('../../dist/nftlane.mjs', import.meta.url));

interface Sample {
  readonly seconds: number;
  readonly rssMb: number;
  readonly files: number;
  readonly p99Ms: number;
}

const scratch = await mkdtemp(join(tmpdir(), 'nftlane-soak-'));
const world = await createWorld();
let failures: string[];
try {
  failures = await soak();
} finally {
  await world.destroy();
  await rm(scratch, { recursive: true, force: true });
}
for (const failure of failures) console.log(`failed: ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);

async function soak(): Promise<string[]> {
  const setup = { kubeconfig: join(scratch, 'kubeconfig'), runDir: join(scratch, 'run') };
  await mkdir(setup.runDir);
  const size = ['--services', String(SERVICES), '--endpoints', '10'];
  const flags = [...size, '--kubeconfig-out', setup.kubeconfig];
  const api = await startProgram(world.node1, 'support/api-server/main.ts', flags);
  const daemon = await startDaemon(world.node1, setup);
  console.log(`${SERVICES} Services, ${PER_SECOND} changes a second for ${SECONDS} s`);
  const samples: Sample[] = [];
  for (let seconds = 0; seconds < SECONDS; seconds += ROUND_SECONDS) {
    samples.push({ ...(await round(daemon, api)), seconds: seconds + ROUND_SECONDS });
    console.log(JSON.stringify(samples.at(-1)));
  }
  const differences = await compareKernel(api, setup.runDir);
  await daemon.stop();
  return [...judge(samples), ...differences];
}

async function round(daemon: DaemonProcess, api: Program): Promise<Omit<Sample, 'seconds'>> {
  const before = daemon.log.all.length;
  await api.request(`change ${PER_SECOND}-per-second ${ROUND_SECONDS}`);
  const latencies = daemon.log.all.slice(before).flatMap(({ latencyMs }) => latencyMs ?? []);
  return {
    rssMb: Math.round(memoryMb(daemon.pid, 'VmRSS')),
    files: openFiles(daemon.pid),
    p99Ms: Math.round(summarize(latencies).p99 * 10) / 10,
  };
}

/** Compares the median of the last third with that of the samples around the end of the warm-up. */
function judge(samples: readonly Sample[]): string[] {
  const warm = samples.filter(({ seconds }) => seconds >= WARM_UP_SECONDS && seconds <= WARM_UP_SECONDS * 1.5);
  const late = samples.slice(-Math.max(1, Math.floor(samples.length / 3)));
  const median = (of: readonly Sample[], field: 'rssMb' | 'files' | 'p99Ms') =>
    summarize(of.map((sample) => sample[field])).median;
  const [memory, files, latency] = (['rssMb', 'files', 'p99Ms'] as const).map((field) => ({
    early: median(warm, field),
    late: median(late, field),
  }));
  console.log(JSON.stringify({ memory, files, latency }));
  const failures: string[] = [];
  if (memory && memory.late > memory.early * MAX_MEMORY_RATIO) failures.push(`memory grew to ${memory.late} MB`);
  if (files && files.late > files.early + MAX_MORE_FILES) failures.push(`open files grew to ${files.late}`);
  if (latency && latency.late > latency.early * MAX_LATENCY_RATIO) failures.push(`p99 grew to ${latency.late} ms`);
  return failures;
}

/** The objects of the API server, compiled by another process, against the kernel. */
async function compareKernel(api: Program, runDir: string): Promise<string[]> {
  await delay(1000);
  const items: unknown = JSON.parse((await api.request('dump')).replace(/^ok /, ''));
  const file = join(scratch, 'objects.json');
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const args = ['diff', '-f', file, '--node-name', 'elsewhere', '--run-dir', runDir];
  const { status, stdout, stderr } = await world.node1.exec(process.execPath, [PROGRAM, ...args], {
    timeoutMs: 120_000,
  });
  return status === 0 ? [] : [`the kernel differs: ${stdout.slice(0, 2000)}${stderr.slice(0, 2000)}`];
}
