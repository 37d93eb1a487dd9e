// The fast path as part of the daemon: at work, or being put away after it was switched off.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OwnConfig } from '../config/settings.ts';
import type { Engine } from '../engine/engine.ts';
import { FastPath } from '../fastpath/fast-path.ts';
import { retire } from '../fastpath/flows/retire.ts';
import type { FastPathView } from '../fastpath/status/status.ts';
import { emptyView } from '../fastpath/view.ts';
import { systemClock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';
import type { Address } from '../net/address.ts';
import { outOfReach, removeNote, writeNote } from './fast-path-note.ts';

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
  const away = async (signal: AbortSignal): Promise<void> => {
    const { runDir, conntrack } = own;
    await putAway({ program, directory, conntrack, drainMs: DRAIN_MS, signal, runDir }, parts.log);
    if (!signal.aborted) await once(signal, 'abort');
  };
  if (mode === 'off') {
    const view = (): FastPathView => emptyView('off', 'it is switched off');
    return { open: async () => {}, isUsable: false, synced: () => {}, view, run: away };
  }
  const settings = { mode, uplinks, directory, program, maxFlows, nft: own.nft };
  const fastPath = new FastPath({ ...parts, settings, clock: systemClock });
  return {
    open: () => fastPath.open(),
    get isUsable() {
      return fastPath.isUsable;
    },
    synced: () => fastPath.synced(),
    view: () => fastPath.view(),
    // What was at work here before must not go on with what it knew then.
    run: async (signal) => {
      if (!fastPath.isUsable) return away(signal);
      await writeNote(own.runDir, directory);
      await fastPath.run(signal);
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
async function putAway({ runDir, ...parts }: Parameters<typeof retire>[0] & { runDir: string }, log: Log) {
  try {
    const retired = await retire(parts);
    if (retired !== undefined) {
      await removeNote(runDir);
      log.info('the fast path was put away', { ...retired });
    } else if (!parts.signal?.aborted) {
      const reason = await outOfReach(runDir, parts.directory);
      if (reason !== undefined) log.error('the fast path cannot be put away', { reason });
    }
  } catch (error) {
    log.warn('the fast path cannot be put away', { reason: reasonOf(error) });
  }
}
