// Watches the configuration file.

import { dirname } from 'node:path';
import { readBoundedFile } from '../host/files/bounded-file.ts';
import { DirectoryWatcher } from '../host/files/directory-watcher.ts';

interface ConfigurationWatchOptions {
  readonly path: string;
  /** The text differs from the last one, or the file cannot be read any more. */
  readonly onChange: () => void;
  readonly signal: AbortSignal;
  readonly settleMs?: number;
  readonly pollMs?: number;
}

/** Enough for a writer that takes several steps. */
const SETTLE_MS = 200;
/** Finds changes that inotify does not report, such as those behind a symbolic link to another directory. */
const POLL_MS = 10_000;
/** A larger file cannot be a configuration. */
const MAX_BYTES = 1024 ** 2;

/**
 * Watches until the signal aborts. It watches the directory, not the file: editors and ConfigMap volumes replace the file,
 * or the target of the link `..data`. Only a different text is a change.
 */
export function watchConfiguration({ path, onChange, signal, ...times }: ConfigurationWatchOptions): void {
  const { settleMs = SETTLE_MS, pollMs = POLL_MS } = times;
  let lastText = readText(path);
  let timer: NodeJS.Timeout | undefined;
  const check = async (): Promise<void> => {
    const previousText = lastText;
    lastText = readText(path);
    const [previous, current] = await Promise.all([previousText, lastText]);
    if (previous !== current && !signal.aborted) onChange();
  };
  const scheduleCheck = (): void => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(check, settleMs);
  };
  const watcher = new DirectoryWatcher({ directory: dirname(path), onChange: scheduleCheck });
  const stop = (): void => {
    watcher.close();
    clearTimeout(timer);
    clearInterval(poll);
  };
  // The file may have changed, or the signal aborted, before the watch began. Without a watch, only polling finds changes.
  watcher.ensureWatching().then(
    () => (signal.aborted ? watcher.close() : scheduleCheck()),
    () => {},
  );
  const poll = setInterval(check, pollMs);
  signal.addEventListener('abort', stop, { once: true });
}

/** `undefined` when the file cannot be read. */
async function readText(path: string): Promise<string | undefined> {
  return readBoundedFile(path, { maxBytes: MAX_BYTES }).then(String, () => undefined);
}
