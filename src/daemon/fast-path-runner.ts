// Runs the fast path as part of the daemon, or removes it if it is disabled.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { NftlaneConfig } from '../config/settings.ts';
import type { Commit } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import { FastPath } from '../fastpath/fast-path.ts';
import { teardown } from '../fastpath/flows/teardown.ts';
import { inactiveStatus } from '../fastpath/status/build-status.ts';
import type { FastPathStatus } from '../fastpath/status/fast-path-status.ts';
import type { FastPathOptions } from '../fastpath/sync/fast-path-options.ts';
import { systemClock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { errorMessage } from '../lib/error-message.ts';
import { removePinRecord, unreachablePins, writePinRecord } from './fast-path-pin-record.ts';

export interface FastPathRunner {
  /** Rejects with a `FastPathUnusable` if the fast path is required but unusable. */
  open(): Promise<void>;
  /** After {@link open}: whether the fast path takes flows. */
  readonly isUsable: boolean;
  committed(commit: Pick<Commit, 'services'>): void;
  run(signal: AbortSignal): Promise<void>;
  status(): FastPathStatus;
  /** Ends the loader of a daemon that does not run. */
  close(): void;
}

/** Milliseconds that flows may take to end by themselves after the fast path is disabled. */
const DRAIN_MS = 3000;

/** A runner for the mode in the settings. */
export function createFastPath(
  nftlane: NftlaneConfig,
  dependencies: Omit<FastPathOptions, 'settings' | 'clock' | 'engine'> & { readonly engine: Engine },
): FastPathRunner {
  const { mode, uplinks, directory, maxFlows } = nftlane.fastPath;
  const program = loaderPath(nftlane.fastPath.program);
  const runTeardown = async (signal: AbortSignal): Promise<void> => {
    const { runDir, conntrack } = nftlane;
    await teardownAndLog({ program, directory, conntrack, drainMs: DRAIN_MS, signal, runDir }, dependencies.log);
    if (!signal.aborted) await once(signal, 'abort');
  };
  if (mode === 'off') {
    const status = (): FastPathStatus => inactiveStatus('off', 'disabled in the configuration');
    return { open: async () => {}, isUsable: false, committed: () => {}, status, run: runTeardown, close: () => {} };
  }
  const settings = { mode, uplinks, directory, program, maxFlows, nft: nftlane.nft };
  const fastPath = new FastPath({ ...dependencies, settings, clock: systemClock });
  return {
    open: () => fastPath.open(),
    get isUsable() {
      return fastPath.isUsable;
    },
    committed: (commit) => fastPath.committed(commit),
    status: () => fastPath.status(),
    close: () => fastPath.close(),
    // Programs of a previous daemon must not keep forwarding with outdated maps.
    run: async (signal) => {
      if (!fastPath.isUsable) return runTeardown(signal);
      await writePinRecord(nftlane.runDir, directory);
      await fastPath.run(signal);
    },
  };
}

/** The path of the loader: a name without a slash is searched for beside this program before PATH. */
export function loaderPath(program: string): string {
  if (program.includes('/')) return program;
  const beside = ['./', './bpf/'].map((folder) => fileURLToPath(new URL(`${folder}${program}`, import.meta.url)));
  return beside.find((path) => existsSync(path)) ?? program;
}

/** Removes the fast path of a previous daemon. */
async function teardownAndLog({ runDir, ...options }: Parameters<typeof teardown>[0] & { runDir: string }, log: Log) {
  try {
    const result = await teardown(options);
    if (result !== undefined) {
      await removePinRecord(runDir);
      log.info('fast path removed', { ...result });
    } else if (!options.signal?.aborted) {
      const reason = await unreachablePins(runDir, options.directory);
      if (reason !== undefined) log.error('cannot remove fast path', { reason });
    }
  } catch (error) {
    log.warn('cannot remove fast path', { reason: errorMessage(error) });
  }
}
