// The fast path as part of the daemon: at work, or being put away after it was switched off.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OwnConfig } from '../config/settings.ts';
import type { Engine } from '../engine/engine.ts';
import { FastPath } from '../fastpath/fast-path.ts';
import { retire } from '../fastpath/retire.ts';
import { emptyView } from '../fastpath/view.ts';
import type { FastPathView } from '../inspect/fast-path-view.ts';
import type { Address } from '../net/address.ts';
import { systemClock } from '../sys/clock.ts';
import type { Log } from '../sys/log.ts';

/** What the daemon wants of it. */
export interface RunningFastPath {
  /** Throws a `FastPathUnusable` where it is required and cannot be. */
  open(): Promise<void>;
  /** After {@link open}: whether there are, or will be, flows that it has taken. */
  readonly isUsable: boolean;
  synced(): void;
  run(signal: AbortSignal): Promise<void>;
  view(): FastPathView;
}

/** In milliseconds: how long flows may end by themselves after the fast path was switched off. */
const DRAIN_MS = 3000;

/** What the settings ask for. */
export function fastPathOf(
  own: OwnConfig,
  parts: { readonly engine: Engine; readonly hostAddresses: () => readonly Address[]; readonly log: Log },
): RunningFastPath {
  const { mode, uplinks, directory, maxFlows } = own.fastPath;
  const program = loaderPath(own.fastPath.program);
  if (mode !== 'off') {
    const settings = { mode, uplinks, directory, program, maxFlows, nft: own.nft };
    return new FastPath({ ...parts, settings, clock: systemClock });
  }
  return {
    open: async () => {},
    isUsable: false,
    synced: () => {},
    view: () => emptyView('off', 'it is switched off'),
    run: async (signal) => {
      await putAway({ program, directory, conntrack: own.conntrack, drainMs: DRAIN_MS, signal }, parts.log);
      if (!signal.aborted) await once(signal, 'abort');
    },
  };
}

/** A name without a path is looked for beside this program, before PATH. */
export function loaderPath(program: string): string {
  if (program.includes('/')) return program;
  const beside = ['./', './bpf/'].map((folder) => fileURLToPath(new URL(`${folder}${program}`, import.meta.url)));
  return beside.find((path) => existsSync(path)) ?? program;
}

/** A daemon before this one may have had it on. */
async function putAway(parts: Parameters<typeof retire>[0], log: Log): Promise<void> {
  try {
    const retired = await retire(parts);
    if (retired !== undefined) log.info('the fast path was put away', { ...retired });
  } catch (error) {
    log.warn('the fast path cannot be put away', { reason: error instanceof Error ? error.message : String(error) });
  }
}
