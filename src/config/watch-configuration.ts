// Hears of changes of the configuration file, also when a mounted ConfigMap swaps the directory that it is in.
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface ConfigurationWatchOptions {
  readonly path: string;
  /** The text is another than before, or the file cannot be read any more. */
  readonly onChange: () => void;
  readonly signal: AbortSignal;
  readonly settleMs?: number;
  readonly pollMs?: number;
}

/** Whoever writes in several steps has finished by then. */
const SETTLE_MS = 200;
/** What the kernel does not tell, such as changes behind a symbolic link to elsewhere, is found as late as this. */
const POLL_MS = 10_000;

/**
 * Watches until the signal aborts. The directory is watched, not the file: editors and ConfigMap volumes put another file,
 * or another target of the link `..data`, in its place. Only another text counts as a change.
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
    timer = setTimeout(check, settleMs);
  };
  const watcher = openWatch(dirname(path), scheduleCheck);
  const poll = setInterval(check, pollMs);
  signal.addEventListener(
    'abort',
    () => {
      watcher?.close();
      clearTimeout(timer);
      clearInterval(poll);
    },
    { once: true },
  );
}

/** `undefined` where watching is impossible: looking now and then has to do. */
function openWatch(directory: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, onEvent);
    return watcher.on('error', () => watcher.close());
  } catch {
    return undefined;
  }
}

/** The text; `undefined` where there is none. */
async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
