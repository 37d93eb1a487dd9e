// Metrics of this process, with the usual names of Prometheus clients, and of its nft session.

import { readdirSync, readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import { systemClock } from '../../host/clock.ts';
import type { NftClient } from '../../nftables/client/nft-client.ts';
import { type HostCounts, registerHostMetrics } from './host-metrics.ts';
import { counterOnScrape, gaugeOnScrape, single } from './on-scrape.ts';

export interface ProcessInfo extends HostCounts {
  readonly version: string;
  readonly nftVersion: () => string;
  /** The process of the nft session, and the number of sessions started. */
  readonly nftSession: () => NftClient['session'];
}

/** Registers the metrics, which are read from /proc at each scrape. */
export function registerProcessMetrics(registry: Registry, info: ProcessInfo): void {
  const gauge = (name: string, help: string, value: () => number | undefined) =>
    gaugeOnScrape(registry, { name, help, labelNames: [], samples: () => single(value()) });
  const counter = (name: string, help: string, value: () => number) =>
    counterOnScrape(registry, { name, help, labelNames: [], samples: () => single(value()) });
  registerOwnership(registry, info);
  counter(
    'process_cpu_seconds_total',
    'Total user and system CPU time of this process, without its children, in seconds',
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  );
  gauge('process_resident_memory_bytes', 'Resident memory size in bytes', () => memoryOf('self', 'VmRSS'));
  gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes', () => memoryOf('self', 'VmSize'));
  gauge('process_open_fds', 'Number of open file descriptors', () => readdirSync('/proc/self/fd').length);
  gauge('process_max_fds', 'Maximum number of open file descriptors', maxFiles);
  gauge(
    'process_start_time_seconds',
    'Start time of the process since the Unix epoch in seconds',
    () => systemClock.wallTime(performance.timeOrigin) / 1000,
  );
  gauge('nodejs_heap_size_used_bytes', 'Used heap of the JavaScript engine in bytes', () => {
    return process.memoryUsage().heapUsed;
  });
  counter('nodejs_eventloop_busy_seconds_total', 'Total time in which the event loop was busy, in seconds', () => {
    return performance.eventLoopUtilization().active / 1000;
  });
  gauge('nftlane_nft_resident_memory_bytes', 'Resident memory size of the nft session in bytes', () => {
    const { pid } = info.nftSession();
    return pid === undefined ? undefined : memoryOf(pid, 'VmRSS');
  });
  counter('nftlane_nft_session_starts_total', 'Total number of nft sessions started', () => info.nftSession().starts);
  registerHostMetrics(registry, info);
  registerBuildInfo(registry, info);
}

function registerBuildInfo(registry: Registry, { version, nftVersion }: ProcessInfo): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_build_info',
    help: 'Always 1, with the versions as labels',
    labelNames: ['version', 'nft_version', 'node_version'],
    samples: () => [{ labels: { version, nft_version: nftVersion(), node_version: process.version }, value: 1 }],
  });
}

/** In bytes; `undefined` if the process has ended. */
function memoryOf(pid: number | 'self', field: 'VmRSS' | 'VmSize'): number | undefined {
  try {
    const [, kilobytes] =
      new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

function maxFiles(): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

function registerOwnership(registry: Registry, { nftSession }: ProcessInfo): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_tables_owned',
    help: '1 while the nft session owns the tables, so that no other program can change them, otherwise 0',
    labelNames: [],
    samples: () => single(nftSession().ownsTables ? 1 : 0),
  });
}
