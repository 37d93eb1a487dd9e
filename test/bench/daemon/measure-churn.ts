// Measures the backlog and the CPU time of the daemon under many changes a second.

import { setTimeout as delay } from 'node:timers/promises';
import type { ChurnResults } from '../report/results.ts';
import { summarize } from '../report/statistics.ts';
import { cpuSeconds } from '../system/proc.ts';
import type { Program } from '../system/program.ts';
import type { DaemonProcess } from './daemon-process.ts';

const PER_SECOND = 100;
/** Operations of a replaced endpoint: one element is deleted, one is added. */
const OPERATIONS = 2;
const DRAIN_LIMIT_MS = 10_000;

export async function measureChurn(daemon: DaemonProcess, api: Program, seconds: number): Promise<ChurnResults> {
  const before = daemon.log.all.length;
  const synced = () => daemon.log.all.slice(before);
  const pending = () => Math.ceil(PER_SECOND * seconds - countOperations(synced()) / OPERATIONS);
  // Earlier syncs do not count.
  await delay(200);
  const [cpuBefore, startedAt] = [cpuSeconds(daemon.pid), performance.now()];
  await api.request(`change ${PER_SECOND}-per-second ${seconds}`);
  const [endedAt, backlog] = [performance.now(), Math.max(0, pending())];
  const cpu = cpuSeconds(daemon.pid) - cpuBefore;
  while (pending() > 0 && performance.now() - endedAt < DRAIN_LIMIT_MS) await delay(1);
  return {
    perSecond: PER_SECOND,
    seconds,
    backlog,
    drainMs: performance.now() - endedAt,
    latencyMs: summarize(synced().flatMap(({ latencyMs }) => latencyMs ?? [])),
    cpuShare: cpu / ((endedAt - startedAt) / 1000),
  };
}

function countOperations(lines: readonly { readonly operations?: number }[]): number {
  return lines.reduce((sum, { operations = 0 }) => sum + operations, 0);
}
