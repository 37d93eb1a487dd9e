// Runs the bundled daemon in a network namespace.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../support/netns/namespace.ts';
import type { StartResults } from '../report/results.ts';
import { watchChildren } from '../system/memory-watch.ts';
import { LogLines } from './log-lines.ts';

const PROGRAM = fileURLToPath(new URL('../../../dist/nftlane.mjs', import.meta.url));
const COMPLETE = 'ruleset complete';

export interface DaemonSetup {
  readonly kubeconfig: string;
  readonly runDir: string;
  /** Default: `elsewhere`, a node without endpoints, so that all changes have the same size. */
  readonly nodeName?: string;
}

export interface DaemonProcess {
  readonly pid: number;
  readonly log: LogLines;
  readonly start: StartResults;
  /** The peak memory of an nft process until the ruleset was complete. */
  readonly nftMb: number;
  /** Resolves when the process has exited. */
  stop(): Promise<void>;
}

/** Resolves when the ruleset is complete. */
export async function startDaemon(
  namespace: Namespace,
  { kubeconfig, runDir, nodeName = 'elsewhere' }: DaemonSetup,
): Promise<DaemonProcess> {
  const startedAt = Date.now();
  const flags = ['--kubeconfig', kubeconfig, '--run-dir', runDir, '--node-name', nodeName];
  const child = namespace.spawn(process.execPath, [PROGRAM, 'run', ...flags, '--log-level', 'debug']);
  const pid = child.pid ?? 0;
  const log = new LogLines(child.stderr);
  child.stdout.resume();
  const watch = watchChildren(pid);
  try {
    const complete = await log.find(({ msg }) => msg === COMPLETE);
    const lists = log.all.filter(({ msg }) => msg === 'list received');
    const started = log.all.find(({ msg }) => msg === 'started');
    const start = {
      startedMs: (started?.at ?? Number.NaN) - startedAt,
      listedMs: Math.max(...lists.map(({ at }) => at)) - startedAt,
      completeMs: complete.at - startedAt,
    };
    return { pid, log, start, nftMb: watch.stop(), stop };
  } finally {
    watch.stop();
  }

  async function stop(): Promise<void> {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
}
