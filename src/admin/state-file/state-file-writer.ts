// Writes the state files of the daemon, in the background. Nothing waits for it, and no failure of it ends anything.

import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { Clock } from '../../host/clock.ts';
import { makeDirectory } from '../../host/files/make-directory.ts';
import { replaceFile } from '../../host/files/replace-file.ts';
import type { Log } from '../../host/log.ts';
import { LogOnce } from '../../host/log-once.ts';
import { errorMessage } from '../../lib/error-message.ts';
import type { DaemonState } from '../state/daemon-state.ts';
import type { DaemonStatus } from '../state/daemon-status.ts';
import { stateText } from '../state/state-text.ts';
import { stampNow } from './stamp.ts';
import type { StateFilePaths, StatusFile } from './state-files.ts';

interface StateFileWriterOptions {
  readonly paths: StateFilePaths;
  readonly status: () => DaemonStatus;
  readonly state: () => DaemonState;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly log: Log;
  readonly intervalMs?: number;
}

/** How exactly a command knows since when a daemon has been dead. */
const INTERVAL_MS = 5_000;
/** The state is not written again before this multiple of the time that it took: one percent of the time at most. */
const PAUSE_FACTOR = 100;
/** 10,000 Services of 10 endpoints take about 3 MB. Usually the files are in memory, like all of /run. */
const MAX_STATE_BYTES = 32 * 1024 ** 2;
/** A disk that does not respond must not keep the daemon from stopping. */
const STOP_MS = 500;

export class StateFileWriter {
  readonly #options: StateFileWriterOptions;
  readonly #failures: LogOnce;
  /** The number of commits in the state file. */
  #savedCommits: number | undefined;
  #stateDueAt = Number.NEGATIVE_INFINITY;

  constructor(options: StateFileWriterOptions) {
    this.#options = options;
    this.#failures = new LogOnce(options.log);
  }

  /** Writes until the signal aborts, and then that the daemon was stopped. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs = INTERVAL_MS } = this.#options;
    const writing = this.#writeUntil(signal, () => clock.sleep(intervalMs, signal));
    await Promise.race([writing, stopped(signal)]);
  }

  async #writeUntil(signal: AbortSignal, pause: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await this.#try(() => this.#writeFiles());
      await pause();
    }
    await this.#try(() => this.#writeStatus({ isStopped: true }));
  }

  async #try(write: () => Promise<void>): Promise<void> {
    const { log, paths } = this.#options;
    try {
      await write();
      if (this.#failures.reset()) log.info('state files are written again', { path: paths.status });
    } catch (error) {
      const fields = { path: paths.status, reason: errorMessage(error) };
      this.#failures.log('warn', 'cannot write state files; without the daemon, commands know only the kernel', fields);
    }
  }

  async #writeFiles(): Promise<void> {
    const { clock, status } = this.#options;
    await makeDirectory(dirname(this.#options.paths.status));
    await this.#writeStatus({ isStopped: false });
    const { ready, sync } = status();
    // Before the first sync, the file of an earlier daemon says more.
    if (!ready || sync.syncedMs === undefined || sync.commits === this.#savedCommits) return;
    const startedAt = clock.now();
    if (startedAt < this.#stateDueAt) return;
    await this.#writeState();
    this.#savedCommits = sync.commits;
    const endedAt = clock.now();
    this.#stateDueAt = endedAt + PAUSE_FACTOR * (endedAt - startedAt);
  }

  async #writeStatus({ isStopped }: Pick<StatusFile, 'isStopped'>): Promise<void> {
    const { paths, status } = this.#options;
    const contents: StatusFile = { stamp: stampNow(), status: status(), isStopped };
    await replaceFile(paths.status, (temporary) =>
      writeFile(temporary, JSON.stringify(contents), { flag: 'wx', mode: 0o600 }),
    );
  }

  async #writeState(): Promise<void> {
    const { paths, state } = this.#options;
    const pieces = stateText({ stamp: stampNow(), ...state() });
    await replaceFile(paths.state, async (temporary) => {
      const file = createWriteStream(temporary, { flags: 'wx', mode: 0o600 });
      await pipeline(Readable.from(pieces), createGzip({ level: 1 }), limitBytes, file);
    });
  }
}

async function* limitBytes(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MAX_STATE_BYTES) throw new Error(`the state is larger than ${MAX_STATE_BYTES / 1024 ** 2} MiB`);
    yield chunk;
  }
}

/** Resolves some time after the signal has aborted. */
async function stopped(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await delay(STOP_MS, undefined, { ref: false });
}
