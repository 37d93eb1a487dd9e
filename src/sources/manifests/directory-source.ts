// A directory of manifests as a source of objects.

import { stat } from 'node:fs/promises';
import { type Clock, systemClock } from '../../host/clock.ts';
import { DirectoryWatcher, type OpenWatch } from '../../host/files/directory-watcher.ts';
import type { Log } from '../../host/log.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { KINDS, type Kind } from '../../services/objects/kinds.ts';
import type { Sink } from '../../services/objects/sink.ts';
import { deliverManifests } from './deliver-manifests.ts';
import { type InvalidFile, ManifestDirectory, type ScanResult } from './manifest-directory.ts';
import { ManifestError, toManifestError } from './parse/manifest-error.ts';
import type { ManifestObject } from './parse/parse-manifests.ts';

export interface DirectorySourceOptions {
  readonly directory: string;
  readonly sink: Sink;
  readonly log: Log;
  /** Must agree with the modification times of files. */
  readonly clock?: Clock;
  readonly open?: OpenWatch;
}

/** How current the objects are. Times are milliseconds since 1970. */
export interface DirectoryState {
  /** The last complete scan. */
  readonly readAt?: number;
  /** The directory cannot be read. */
  readonly missing?: { readonly since: number; readonly reason: string };
  readonly invalidFiles: readonly InvalidFile[];
}

/** Enough to write a file in one step, with a margin for coarse clocks. */
const DEBOUNCE_MS = 15;
/** Finds changes that inotify does not report: behind symbolic links and on network file systems. */
const POLL_MS = 2_000;
/** At the start, files that are still being written delay the first list, up to this number of scans. */
const MAX_INITIAL_SCANS = 4;
/** The time to fill a directory that was created again. */
const POPULATE_MS = 60;
/** How long removed objects are kept while the contents of other files are not known yet. */
const MAX_KEEP_MS = 1_000;
const MAX_LOGGED_TYPES = 10;

/** Delivers the objects of the manifests and then their changes. */
export class DirectorySource {
  readonly #directory: string;
  readonly #sink: Sink;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #manifests: ManifestDirectory;
  readonly #watcher: DirectoryWatcher;
  #delivered: ReadonlyMap<string, ManifestObject> = new Map();
  #isDirty = false;
  #missing: DirectoryState['missing'];
  #readAt: number | undefined;
  #loggedTypes = '';
  /** Since when removed objects are kept because they may be in a file that is not read yet. */
  #keepingSince: number | undefined;
  #rescanMs: number | undefined;
  #pause = new AbortController();

  constructor({ directory, sink, log, clock = systemClock, open }: DirectorySourceOptions) {
    this.#directory = directory;
    this.#sink = sink;
    this.#log = log;
    this.#clock = clock;
    this.#manifests = new ManifestDirectory({ directory, clock, log, onRead: () => this.#markDirty() });
    this.#watcher = new DirectoryWatcher({
      directory,
      open,
      onChange: () => this.#markDirty(),
      onFailure: (error) => {
        const reason = errorMessage(error);
        log.warn('cannot watch manifests; polling', { path: directory, reason });
      },
      onRecovery: () => log.info('watching manifests again', { path: directory }),
    });
  }

  state(): DirectoryState {
    return {
      ...(this.#readAt === undefined ? {} : { readAt: this.#readAt }),
      ...(this.#missing === undefined ? {} : { missing: this.#missing }),
      invalidFiles: this.#manifests.invalidFiles(),
    };
  }

  /**
   * Runs until the signal aborts. Rejects with `ManifestError` if the directory cannot be read at the start, or with an
   * error of the sink. Files that cannot be read are logged, and their last objects are kept.
   */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#pause.abort();
    signal.addEventListener('abort', stop);
    try {
      if (!signal.aborted) await this.#start(signal);
      while (!signal.aborted) {
        await this.#waitForChange(signal);
        if (!signal.aborted) await this.#update();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.#watcher.close();
      this.#manifests.close();
    }
  }

  async #start(signal: AbortSignal): Promise<void> {
    const startedAt = this.#clock.now();
    await this.#ensureWatching();
    for (let scans = 1; scans <= MAX_INITIAL_SCANS; scans++) {
      const includeIncomplete = scans === MAX_INITIAL_SCANS;
      const { rescanMs } = await this.#manifests.scan({ includeIncomplete, waitForAll: true });
      this.#rescanMs = rescanMs;
      if (rescanMs === undefined) break;
      if (scans < MAX_INITIAL_SCANS) await this.#clock.sleep(rescanMs, signal);
      if (signal.aborted) return;
    }
    this.#readAt = this.#clock.now();
    this.#delivered = this.#manifests.objects();
    deliverManifests([...this.#delivered.values()], this.#sink);
    this.#log.info('manifests loaded', {
      path: this.#directory,
      files: this.#manifests.fileCount,
      objects: countByKind(this.#delivered),
      durationMs: Math.round(this.#clock.now() - startedAt),
    });
    this.#logIgnored();
  }

  /** Once for each set of types. Files of other programs may lie beside the manifests. */
  #logIgnored(): void {
    const types = Object.fromEntries([...this.#manifests.ignored].slice(0, MAX_LOGGED_TYPES));
    const names = Object.keys(types).sort().join();
    if (names !== this.#loggedTypes && names !== '') {
      this.#log.info('ignoring objects of other types', { path: this.#directory, types });
    }
    this.#loggedTypes = names;
  }

  async #ensureWatching(): Promise<void> {
    const directory = this.#directory;
    await this.#watcher.ensureWatching().catch((error) => Promise.reject(toManifestError(directory, error)));
  }

  #markDirty(): void {
    this.#isDirty = true;
    this.#pause.abort();
  }

  /** Until the directory has changed and settled, a file is due for another scan, or the poll interval has passed. */
  async #waitForChange(signal: AbortSignal): Promise<void> {
    this.#pause = new AbortController();
    if (!this.#isDirty && !signal.aborted) {
      await this.#clock.sleep(Math.min(this.#rescanMs ?? POLL_MS, POLL_MS), this.#pause.signal);
    }
    if (this.#isDirty && !signal.aborted) await this.#clock.sleep(DEBOUNCE_MS, signal);
    this.#isDirty = false;
  }

  async #update(): Promise<void> {
    try {
      const { changed, rescanMs, isReading = false } = await this.#scan();
      this.#rescanMs = rescanMs;
      if (this.#missing === undefined) this.#readAt = this.#clock.now();
      if (changed.length > 0 || this.#keepingSince !== undefined)
        this.#deliverChanges(changed, { isPartial: isReading || rescanMs !== undefined });
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      this.#handleMissingDirectory(error);
    }
  }

  async #scan(): Promise<ScanResult> {
    await this.#ensureWatching();
    if (this.#missing !== undefined) {
      const age = this.#clock.wallTime(this.#clock.now()) - (await stat(this.#directory)).mtimeMs;
      if (age >= 0 && age < POPULATE_MS) return { changed: [], rescanMs: Math.ceil(POPULATE_MS - age) };
      this.#log.info('manifest directory is readable again', { path: this.#directory });
    }
    this.#missing = undefined;
    return await this.#manifests.scan();
  }

  /** Keeps the objects: a missing directory does not mean that they are to be deleted. */
  #handleMissingDirectory({ file, reason }: ManifestError): void {
    this.#watcher.close();
    this.#rescanMs = undefined;
    if (this.#missing === undefined)
      this.#log.warn('cannot read manifest directory; keeping its objects', { path: file, reason });
    this.#missing = { since: this.#missing?.since ?? this.#clock.now(), reason };
  }

  /** An object that moves to a file that is not read yet must not disappear for a moment. */
  #deliverChanges(files: readonly string[], { isPartial }: { readonly isPartial: boolean }): void {
    const before = this.#delivered;
    const now = this.#manifests.objects();
    const put = [...now].filter(([id, object]) => !isSame(object, before.get(id)));
    const missing = [...before].filter(([id]) => !now.has(id));
    const keeps = missing.length > 0 && isPartial && !this.#hasKeptLongEnough();
    const removed = keeps ? [] : missing;
    this.#keepingSince = keeps ? (this.#keepingSince ?? this.#clock.now()) : undefined;
    this.#delivered = keeps ? new Map([...now, ...missing]) : now;
    for (const [, { kind, result }] of put) this.#sink.put(kind, result);
    for (const [, { kind, result }] of removed) this.#sink.remove(kind, result.key);
    const [updated, deleted] = [put, removed].map((entries) => entries.map(([id]) => id));
    this.#log.debug('manifests changed', { files, updated, deleted });
    this.#logIgnored();
  }

  #hasKeptLongEnough(): boolean {
    return this.#keepingSince !== undefined && this.#clock.now() - this.#keepingSince > MAX_KEEP_MS;
  }
}

/** Objects of files that were not read again are identical. Issues are part of the object. */
function isSame(object: ManifestObject, before: ManifestObject | undefined): boolean {
  if (object === before) return true;
  return before !== undefined && JSON.stringify(object.result) === JSON.stringify(before.result);
}

function countByKind(objects: ReadonlyMap<string, ManifestObject>): Record<string, number> {
  const counts = Object.fromEntries((Object.keys(KINDS) as Kind[]).map((kind) => [kind, 0]));
  for (const { kind } of objects.values()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
