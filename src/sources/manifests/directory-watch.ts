// Hears of changes in a directory, for as long as the kernel lets it.
import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Log } from '../../host/log.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { toManifestError } from './manifest-error.ts';

/** Starts to watch a directory, and throws when that is not possible. Tests hand in their own. */
export type OpenWatch = (
  directory: string,
  listener: { onChange(name: string | null): void; onError(error: Error): void },
) => { close(): void };

export interface DirectoryWatchSetup {
  readonly directory: string;
  readonly log: Log;
  readonly open: OpenWatch;
  /** Something happened; what it was has to be looked up. */
  readonly onChange: () => void;
}

/** `fs.watch`, which is inotify on Linux. */
export const openWatch: OpenWatch = (directory, { onChange, onError }) =>
  watch(directory, (_event, name) => onChange(name)).on('error', onError);

/** A watch that follows its directory: a path may come to mean another directory. */
export class DirectoryWatch {
  readonly #setup: DirectoryWatchSetup;
  #watcher: { close(): void } | undefined;
  #watchedIdentity = '';
  #isPolling = false;

  constructor(setup: DirectoryWatchSetup) {
    this.#setup = setup;
  }

  /**
   * Makes sure that the directory that is there now is watched. Rejects with `ManifestError` when there is none; where
   * watching is impossible it only warns.
   */
  async ensureWatching(): Promise<void> {
    const { directory } = this.#setup;
    const { dev, ino } = await stat(directory).catch((error) => Promise.reject(toManifestError(directory, error)));
    const identity = `${dev}:${ino}`;
    if (this.#watcher !== undefined && this.#watchedIdentity === identity) return;
    this.close();
    try {
      this.#open(identity);
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #open(identity: string): void {
    const { directory, log, open, onChange } = this.#setup;
    const watcher = open(directory, {
      onChange: (name) => {
        // inotify names the directory itself when it was moved or removed, and a removed one is never heard of again.
        if (name === null || name === basename(directory)) this.#watchedIdentity = '';
        onChange();
      },
      onError: (error) => {
        watcher.close();
        // A watch that was replaced meanwhile takes nothing with it.
        if (this.#watcher === watcher) this.#watcher = undefined;
        this.#fail(error);
      },
    });
    this.#watcher = watcher;
    this.#watchedIdentity = identity;
    if (this.#isPolling) log.info('Watching manifests again', { directory });
    this.#isPolling = false;
  }

  #fail(error: unknown): void {
    const { directory, log } = this.#setup;
    if (this.#isPolling) return;
    this.#isPolling = true;
    const reason = errorMessage(error);
    log.warn('Cannot watch manifests; changes are found by polling only', { directory, reason });
  }
}
