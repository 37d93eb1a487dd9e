// Measures the whole daemon, from an API server over HTTPS to the kernel.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TABLE } from '../../../src/nftables/syntax/operation.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createWorld } from '../../support/netns/world.ts';
import type { BenchOptions } from '../options.ts';
import type { DaemonResults } from '../report/results.ts';
import { summarize } from '../report/statistics.ts';
import { watchChildren } from '../system/memory-watch.ts';
import { memoryMb } from '../system/proc.ts';
import { type Program, startProgram } from '../system/program.ts';
import { type DaemonProcess, type DaemonSetup, startDaemon } from './daemon-process.ts';
import { measureChurn } from './measure-churn.ts';
import { startMonitor } from './monitor.ts';

const ENDPOINTS = 10;
const SETTLE_MS = 3000;
/** The interval of single events, each handled in a sync of its own. */
const LONE_PER_SECOND = 20;
const PAUSE_MS = 60;

export interface DaemonBench {
  readonly options: BenchOptions['daemon'];
  readonly scratch: string;
  readonly say: (what: string) => void;
}

export async function measureDaemon({ options, scratch, say }: DaemonBench): Promise<DaemonResults> {
  const world = await createWorld();
  try {
    const namespace = world.node1;
    const setup = { kubeconfig: join(scratch, 'kubeconfig'), runDir: join(scratch, 'run') };
    await mkdir(setup.runDir);
    say('API server');
    const size = ['--services', String(options.services), '--endpoints', String(ENDPOINTS)];
    const api = await startProgram(namespace, 'support/api-server/main.ts', [
      ...size,
      '--kubeconfig-out',
      setup.kubeconfig,
    ]);
    say('starts');
    const { starts, restarts, daemon } = await measureStarts(namespace, setup, options.starts);
    await delay(SETTLE_MS);
    const settledRssMb = memoryMb(daemon.pid, 'VmRSS');
    say('lone events');
    const latencyMs = await measureLatency(daemon, api, options.events);
    say('an observer');
    const observedMs = summarize(await observe(namespace, api, options));
    say('churn');
    const churn = await measureChurn(daemon, api, options.churnSeconds);
    const nftPeakMb = Math.max(...starts.map(({ nftMb }) => nftMb), watchChildren(daemon.pid).stop());
    const restartNftMb = Math.max(...restarts.map(({ nftMb }) => nftMb));
    const peakRssMb = memoryMb(daemon.pid, 'VmHWM');
    await daemon.stop();
    return {
      services: options.services,
      endpoints: ENDPOINTS,
      starts: starts.map(({ start }) => start),
      restarts: restarts.map(({ start }) => start),
      settledRssMb,
      peakRssMb,
      nftPeakMb,
      restartNftMb,
      latencyMs,
      observedMs,
      churn,
    };
  } finally {
    await world.destroy();
  }
}

/** Starts with an empty kernel, each followed by a restart with the existing ruleset. The last daemon keeps running. */
async function measureStarts(namespace: Namespace, setup: DaemonSetup, times: number) {
  const starts: DaemonProcess[] = [];
  const restarts: DaemonProcess[] = [];
  const begin = async (list: DaemonProcess[]): Promise<DaemonProcess> => {
    const daemon = await startDaemon(namespace, setup);
    list.push(daemon);
    return daemon;
  };
  await begin(starts).then((daemon) => daemon.stop());
  await begin(restarts).then((daemon) => daemon.stop());
  for (let round = 2; round < times; round++) {
    await emptyKernel(namespace);
    await begin(starts).then((daemon) => daemon.stop());
  }
  await emptyKernel(namespace);
  return { daemon: await begin(starts), starts, restarts };
}

async function emptyKernel(namespace: Namespace): Promise<void> {
  const lines = ['ip', 'ip6'].map((family) => `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\n`);
  await namespace.output('nft', ['-f', '-'], { input: lines.join('') });
}

async function measureLatency(daemon: DaemonProcess, api: Program, events: number) {
  const before = daemon.log.all.length;
  await api.request(`change ${LONE_PER_SECOND}-per-second ${events / LONE_PER_SECOND}`);
  await delay(PAUSE_MS);
  return summarize(daemon.log.all.slice(before).flatMap(({ latencyMs }) => latencyMs ?? []));
}

/** The time from the change at the API server to the line of `nft monitor`, through all processes. */
async function observe(namespace: Namespace, api: Program, { observed, services }: BenchOptions['daemon']) {
  const monitor = await startMonitor(namespace);
  try {
    const times: number[] = [];
    let number = services;
    const measureOnce = (timeoutMs: number) => {
      const name = `svc-${String(number--).padStart(5, '0')}`;
      return monitor.timeCommit(() => void api.request(`endpoint ${name} +1`), timeoutMs);
    };
    await measureOnce(2000);
    for (let count = 0; count < observed; count++) {
      await delay(PAUSE_MS);
      times.push((await measureOnce(2000)) ?? Number.NaN);
    }
    return times;
  } finally {
    monitor.stop();
  }
}
