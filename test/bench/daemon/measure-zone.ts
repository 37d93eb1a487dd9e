// Measures the time until the kernel has all changes after the node has moved to another zone, which changes every Service.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createWorld } from '../../support/netns/world.ts';
import type { ZoneResults } from '../report/results.ts';
import { summarize } from '../report/statistics.ts';
import { startProgram } from '../system/program.ts';
import { type DaemonProcess, startDaemon } from './daemon-process.ts';
import type { DaemonBench } from './measure-daemon.ts';

const ENDPOINTS = 10;
/** The daemon's node in the API server, and its zones in turn, beginning after the last. */
const NODE_NUMBER = 1;
const ZONES = ['zone-1', 'zone-3', 'zone-2'];
const SETTLE_MS = 2000;

/** Changes the zone once for each sample. */
export async function measureZone({ options, scratch, say }: DaemonBench): Promise<ZoneResults> {
  const world = await createWorld();
  try {
    const setup = { kubeconfig: join(scratch, 'kubeconfig-zone'), runDir: join(scratch, 'run-zone') };
    await mkdir(setup.runDir);
    say('API server with hints');
    const size = ['--services', String(options.services), '--endpoints', String(ENDPOINTS), '--hinted'];
    const flags = [...size, '--kubeconfig-out', setup.kubeconfig];
    const api = await startProgram(world.node1, 'support/api-server/main.ts', flags);
    const daemon = await startDaemon(world.node1, { ...setup, nodeName: `n${NODE_NUMBER}` });
    say('other zones');
    const syncs: { latencyMs: number; operations: number }[] = [];
    for (let change = 0; change < options.zoneChanges; change++) {
      await delay(SETTLE_MS);
      const from = daemon.log.all.length;
      await api.request(`zone ${NODE_NUMBER} ${ZONES[change % ZONES.length]}`);
      syncs.push(await nextSync(daemon, from));
    }
    await daemon.stop();
    return {
      services: options.services,
      endpoints: ENDPOINTS,
      latencyMs: summarize(syncs.map(({ latencyMs }) => latencyMs)),
      operations: Math.round(summarize(syncs.map(({ operations }) => operations)).median),
    };
  } finally {
    await world.destroy();
  }
}

/** The next sync that changed something. */
async function nextSync(daemon: DaemonProcess, from: number): Promise<{ latencyMs: number; operations: number }> {
  const earlier = new Set(daemon.log.all.slice(0, from));
  const line = await daemon.log.find((entry) => !earlier.has(entry) && (entry.operations ?? 0) > 0);
  return { latencyMs: line.latencyMs ?? Number.NaN, operations: line.operations ?? 0 };
}
