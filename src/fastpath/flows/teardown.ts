// Removes the fast path without breaking flows: conntrack takes over the live ones.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../host/clock.ts';
import { pathExists } from '../../host/files/path-exists.ts';
import { exec } from '../../host/process/exec.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { LoaderClient } from '../loader/loader-client.ts';
import { LoaderError } from '../loader/loader-process.ts';
import { conntrackRestoreLines } from './conntrack-restore.ts';
import { readTimeouts } from './timeouts.ts';

interface TeardownOptions {
  /** The loader. */
  readonly program: string;
  readonly directory: string;
  readonly conntrack: string;
  /** How long to wait for flows to end before conntrack takes over the rest. */
  readonly drainMs: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

interface TeardownResult {
  /** Flows that conntrack took over. */
  readonly restoredFlows: number;
  /** Why none were restored: nftables sees the flows as new, and they may break. */
  readonly error?: string;
}

const POLL_MS = 500;
/** A flow takes some hundredths of a millisecond. */
const RESTORE_TIMEOUT = { baseMs: 10_000, flowMs: 0.2 };

/**
 * Stops taking new flows, waits for live ones to end, passes the rest to conntrack, and removes all programs, links, maps
 * and pins. Returns `undefined` if nothing was pinned, or if the signal aborted the wait.
 */
export async function teardown(options: TeardownOptions): Promise<TeardownResult | undefined> {
  const { program, directory, conntrack, drainMs, signal, clock = systemClock } = options;
  if (!(await pathExists(directory))) return undefined;
  const loader = new LoaderClient({ command: program, directory });
  try {
    if (await stopAccepting(loader)) {
      await drain(loader, { until: clock.now() + drainMs, signal, clock });
      if (signal?.aborted) return undefined;
      const lines = conntrackRestoreLines(await loader.flows());
      const error = await restoreConntrack(conntrack, lines);
      await loader.remove();
      return error === undefined ? { restoredFlows: lines.length } : { restoredFlows: 0, error };
    }
    await loader.remove();
    return { restoredFlows: 0 };
  } finally {
    loader.close();
  }
}

/** Returns false if there are no maps. */
async function stopAccepting(loader: LoaderClient): Promise<boolean> {
  try {
    await loader.configure({ create: false, timeouts: await readTimeouts() });
    return true;
  } catch (error) {
    if (error instanceof LoaderError && error.code === 'ENOENT') return false;
    throw error;
  }
}

async function drain(
  loader: LoaderClient,
  { until, signal, clock }: { until: number; signal: AbortSignal | undefined; clock: Clock },
): Promise<void> {
  while (!signal?.aborted) {
    const { remaining } = await loader.collect();
    if (remaining.ip + remaining.ip6 === 0 || clock.now() >= until) return;
    await clock.sleep(POLL_MS, signal);
  }
}

/** Returns why it failed. */
async function restoreConntrack(conntrack: string, lines: readonly string[]): Promise<string | undefined> {
  if (lines.length === 0) return undefined;
  // A file, because conntrack cannot open the socket that would be its standard input.
  let directory: string | undefined;
  try {
    directory = await makeTempDirectory();
    const file = join(directory, 'flows');
    await writeFile(file, `${lines.join('\n')}\n`);
    const timeoutMs = RESTORE_TIMEOUT.baseMs + lines.length * RESTORE_TIMEOUT.flowMs;
    const { status, stderr } = await exec(conntrack, ['--load-file', file], { timeoutMs });
    return status === 0 ? undefined : stderr.trim();
  } catch (error) {
    return errorMessage(error);
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }
}

/** In /dev/shm if it exists: the root file system of a container may be read-only. */
async function makeTempDirectory(): Promise<string> {
  const make = (parent: string) => mkdtemp(join(parent, 'nftlane-flows-'));
  return make('/dev/shm').catch(() => make(tmpdir()));
}
