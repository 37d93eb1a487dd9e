// Benchmarks the image: its size, the time to program a thousand Services, and its memory.
//   node test/integration/image/bench.ts [ARCHIVE]      after `make image`; as root

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { memoryMb } from '../../bench/system/proc.ts';
import { startProgram } from '../../bench/system/program.ts';
import { Daemon } from '../../support/netns/daemon.ts';
import { output } from '../../support/netns/process.ts';
import { createWorld } from '../../support/netns/world.ts';
import { makeImageFiles, NODE_PROGRAM, startContainer } from './container.ts';
import { SIZE } from './thousand-services.ts';

const ROUNDS = 5;
/** V8 returns unused memory to the kernel some seconds after the load. */
const SETTLED_MS = 5_000;

/** Drops a program from the page cache: a file that was just written is cached in pages of 2 MB. */
const forgetPages = (program: string) => output('dd', [`if=${program}`, 'iflag=nocache', 'count=0']);

const [, , archive] = process.argv;
console.log((await makeImageFiles()).trim());
if (archive !== undefined) console.log(`image: ${((await stat(archive)).size / 1e6).toFixed(0)} MB as an archive`);

const inputDirectory = await mkdtemp(join(tmpdir(), 'nftlane-image-'));
const world = await createWorld();
await output('sync', [NODE_PROGRAM]);
await forgetPages(NODE_PROGRAM);
try {
  const amount = Object.entries(SIZE).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const kubeconfig = join(inputDirectory, 'kubeconfig');
  await startProgram(world.node1, 'support/api-server/main.ts', [...amount, '--kubeconfig-out', kubeconfig]);
  const rounds: Measurement[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure());
  const median = (key: keyof Measurement) =>
    rounds.map((round) => round[key]).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  console.log(`${SIZE.services} Services of ${SIZE.endpoints} endpoints from an API server, median of ${ROUNDS}:`);
  console.log(`  start to everything programmed   ${median('completeMs').toFixed(0)} ms`);
  console.log(`  resident when settled            ${median('residentMb').toFixed(0)} MB`);
  console.log(`    without file pages             ${median('ownMb').toFixed(0)} MB`);
  console.log(`  resident at most                 ${median('peakMb').toFixed(0)} MB`);
} finally {
  await world.destroy();
  await rm(inputDirectory, { recursive: true });
}

interface Measurement {
  readonly completeMs: number;
  readonly residentMb: number;
  readonly ownMb: number;
  readonly peakMb: number;
}

async function measure(): Promise<Measurement> {
  const flags = ['run', '--kubeconfig', '/run/input/kubeconfig', '--node-name', 'n1', '--log-format', 'json'];
  const started = performance.now();
  const child = startContainer(world.node1, flags, { inputDirectory });
  const daemon = new Daemon(child, () => Promise.reject(new Error('not asked')));
  await daemon.waitForLog('ruleset complete');
  const completeMs = performance.now() - started;
  await delay(SETTLED_MS);
  const pid = child.pid ?? 0;
  const [residentMb, ownMb, peakMb] = (['VmRSS', 'RssAnon', 'VmHWM'] as const).map((field) => memoryMb(pid, field));
  await daemon.stop();
  await world.node1.output('nft', ['flush', 'ruleset']);
  return { completeMs, residentMb: residentMb ?? 0, ownMb: ownMb ?? 0, peakMb: peakMb ?? 0 };
}
