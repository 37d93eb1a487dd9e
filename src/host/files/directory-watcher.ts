// Watches a directory for changes with inotify.

import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

/** Starts to watch a directory; throws when that is not possible. Tests pass their own. */
export type OpenWatch = (
  directory: string,
  listener: { onChange(name: string | null): void; onError(error: Error): void },
) => { close(): void };

export interface DirectoryWatcherOptions {
  readonly directory: string;
  /** Something in the directory changed, or the directory itself. */
  readonly onChange: () => void;
  /** Watching is not possible, for example because of the limit of inotify watches. Called once until it works again. */
  readonly onFailure?: (error: unknown) => void;
  /** Watching works again. */
  readonly onRecovery?: () => void;
  readonly open?: OpenWatch | undefined;
}

const openInotify: OpenWatch = (directory, { onChange, onError }) =>
  watch(directory, (_event, name) => onChange(name)).on('error', onError);

/** Follows the path: when another directory takes its place, the next call of `ensureWatching` watches that one. */
export class DirectoryWatcher {
  readonly #options: DirectoryWatcherOptions;
  #watcher: { close(): void } | undefined;
  #watchedIdentity = '';
  #hasFailed = false;

  constructor(options: DirectoryWatcherOptions) {
    this.#options = options;
  }

  /** Watches the directory that is at the path now. Rejects with the error of `stat` when there is none. */
  async ensureWatching(): Promise<void> {
    const { dev, ino } = await stat(this.#options.directory);
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
    const { directory, onChange, onRecovery, open = openInotify } = this.#options;
    const watcher = open(directory, {
      onChange: (name) => {
        // inotify reports the directory itself when it was moved or removed, and then nothing more.
        if (name === null || name === basename(directory)) this.#watchedIdentity = '';
        onChange();
      },
      onError: (error) => {
        watcher.close();
        // It may have been replaced in the meantime.
        if (this.#watcher === watcher) this.#watcher = undefined;
        this.#fail(error);
      },
    });
    this.#watcher = watcher;
    this.#watchedIdentity = identity;
    if (this.#hasFailed) onRecovery?.();
    this.#hasFailed = false;
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.onFailure?.(error);
  }
}
