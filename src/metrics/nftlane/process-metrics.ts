// This process, and the nft that works for it, under the names that every Prometheus client uses.
import { readdirSync, readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import { counterOnScrape, gaugeOnScrape, single } from './on-scrape.ts';

export interface ProcessInfo {
  readonly version: string;
  readonly nftVersion: () => string;
  /** The process of the nft session, and how many there have been. */
  readonly nftSession: () => { readonly pid: number | undefined; readonly starts: number };
}

/** Registers them. Read from /proc when they are asked for: nothing is measured in between. */
export function registerProcessMetrics(registry: Registry, info: ProcessInfo): void {
  const gauge = (name: string, help: string, value: () => number | undefined) =>
    gaugeOnScrape(registry, { name, help, labelNames: [], samples: () => single(value()) });
  const counter = (name: string, help: string, value: () => number) =>
    counterOnScrape(registry, { name, help, labelNames: [], samples: () => single(value()) });
  counter('process_cpu_seconds_total', 'CPU time of this process, without its children', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge('process_resident_memory_bytes', 'Resident memory of this process', () => memoryOf('self', 'VmRSS'));
  gauge('process_virtual_memory_bytes', 'Virtual memory of this process', () => memoryOf('self', 'VmSize'));
  gauge('process_open_fds', 'Open file descriptors', () => readdirSync('/proc/self/fd').length);
  gauge('process_max_fds', 'The most file descriptors that may be open', maxFiles);
  gauge('process_start_time_seconds', 'Unix time at which this process began', () => performance.timeOrigin / 1000);
  gauge('nodejs_heap_size_used_bytes', 'Heap of the JavaScript engine that is in use', () => {
    return process.memoryUsage().heapUsed;
  });
  counter('nodejs_eventloop_busy_seconds_total', 'Time in which the event loop was at work', () => {
    return performance.eventLoopUtilization().active / 1000;
  });
  gauge('nftlane_nft_resident_memory_bytes', 'Resident memory of the nft session, while there is one', () => {
    const { pid } = info.nftSession();
    return pid === undefined ? undefined : memoryOf(pid, 'VmRSS');
  });
  counter('nftlane_nft_session_starts_total', 'nft sessions that were started', () => info.nftSession().starts);
  registerBuildInfo(registry, info);
}

function registerBuildInfo(registry: Registry, { version, nftVersion }: ProcessInfo): void {
  gaugeOnScrape(registry, {
    name: 'nftlane_build_info',
    help: 'Always 1; the versions are in its labels',
    labelNames: ['version', 'nft_version', 'node_version'],
    samples: () => [{ labels: { version, nft_version: nftVersion(), node_version: process.version }, value: 1 }],
  });
}

/** Bytes; `undefined` when the process is gone. */
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
