// A planned end of the fast path: no flow breaks, for the kernel's connection tracking goes on with those that live.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../host/clock.ts';
import { exec } from '../../host/process/exec.ts';
import { reasonOf } from '../../lib/reason.ts';
import { LoaderError } from '../loader/loader-process.ts';
import { Programs } from '../loader/programs.ts';
import { seedLines } from './seed.ts';
import { readTimeouts } from './timeouts.ts';

export interface RetireParts {
  /** The loader. */
  readonly program: string;
  readonly directory: string;
  readonly conntrack: string;
  /** How long flows may go on by the programs before they are handed over. */
  readonly drainMs: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** What it came to. */
export interface Retired {
  /** Flows that conntrack has taken over. */
  readonly handedOver: number;
  /** Why some could not be; they are new to nft, and may end. */
  readonly obstacle?: string;
}

const POLL_MS = 500;
const SEED_MS = 60_000;

/**
 * Takes no new flows, waits for the others, hands over those that are left, and removes every program, link, map and pin.
 * `undefined` when there was nothing. Does nothing more when the signal aborts while it waits.
 */
export async function retire(parts: RetireParts): Promise<Retired | undefined> {
  const { program, directory, conntrack, drainMs, signal, clock = systemClock } = parts;
  if (!(await isThere(directory))) return undefined;
  const programs = new Programs({ command: program, directory });
  try {
    if (await stopTaking(programs)) {
      await drain(programs, { until: clock.now() + drainMs, signal, clock });
      if (signal?.aborted) return undefined;
      const lines = seedLines(await programs.flows());
      const obstacle = await seed(conntrack, lines);
      await programs.remove();
      return obstacle === undefined ? { handedOver: lines.length } : { handedOver: 0, obstacle };
    }
    await programs.remove();
    return { handedOver: 0 };
  } finally {
    programs.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** False where there are no maps. */
async function stopTaking(programs: Programs): Promise<boolean> {
  try {
    await programs.configure({ create: false, timeouts: await readTimeouts() });
    return true;
  } catch (error) {
    if (error instanceof LoaderError && error.code === 'ENOENT') return false;
    throw error;
  }
}

async function drain(
  programs: Programs,
  { until, signal, clock }: { until: number; signal: AbortSignal | undefined; clock: Clock },
): Promise<void> {
  while (!signal?.aborted) {
    const { left } = await programs.collect();
    if (left.ip + left.ip6 === 0 || clock.now() >= until) return;
    await clock.sleep(POLL_MS, signal);
  }
}

/** Says why it could not be done. */
async function seed(conntrack: string, lines: readonly string[]): Promise<string | undefined> {
  if (lines.length === 0) return undefined;
  // Standard input is a socket here, which conntrack cannot open by its name.
  let folder: string | undefined;
  try {
    folder = await makeFolder();
    const file = join(folder, 'flows');
    await writeFile(file, `${lines.join('\n')}\n`);
    const { status, stderr } = await exec(conntrack, ['--load-file', file], { timeoutMs: SEED_MS });
    return status === 0 ? undefined : stderr.trim();
  } catch (error) {
    return reasonOf(error);
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** In memory where that is there: the root of a container may be read-only. */
async function makeFolder(): Promise<string> {
  const make = (parent: string) => mkdtemp(join(parent, 'nftlane-flows-'));
  return make('/dev/shm').catch(() => make(tmpdir()));
}
