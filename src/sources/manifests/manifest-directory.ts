// The manifests of a directory, with the last valid contents of each file.

import { hash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { compare } from '../../lib/compare.ts';
import { manifestNames, readText } from './load-manifests.ts';
import { isNotFound, type ManifestError, toManifestError } from './manifest-error.ts';
import { mergeManifests } from './merge-manifests.ts';
import {
  MAX_MANIFEST_BYTES,
  type ManifestObject,
  type ParsedManifests,
  parseManifests,
  tooLargeError,
} from './parse-manifests.ts';

/** A file that was modified more recently may be incomplete. */
const SETTLE_MS = 13;
/** The same for an empty or invalid file, which is probably incomplete. */
const INVALID_SETTLE_MS = 60;

interface ManifestDirectoryOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A file whose last valid objects are used, because its contents cannot be. */
export interface InvalidFile {
  readonly file: string;
  readonly reason: string;
  /** In milliseconds since 1970. */
  readonly since: number;
}

export interface ScanResult {
  /** The names of files whose objects changed. */
  readonly changed: readonly string[];
  /** The delay before another scan, for files that are still being written. */
  readonly rescanMs?: number;
}

/** The result for one file: no change, other objects, or to be scanned again after a delay. */
type FileResult = 'same' | 'changed' | { readonly rescanMs: number };

interface FileState {
  /** Changes whenever the file is modified; empty to read the file again in any case. */
  readonly stamp: string;
  /** Of the contents; empty if they could not be read. */
  readonly digest: string;
  /** From the last valid contents. */
  readonly parsed: ParsedManifests;
  /** The error of the current contents. */
  readonly error?: ManifestError;
  /** Since there is an error, in milliseconds since 1970. */
  readonly invalidSince?: number;
}

const EMPTY: ParsedManifests = { objects: [], issues: [], ignored: 0 };

/** Keeps the objects of all files and reads only modified files again. */
export class ManifestDirectory {
  readonly #options: ManifestDirectoryOptions;
  readonly #files = new Map<string, FileState>();

  constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  /** The files whose current contents are not used, in no particular order. */
  invalidFiles(): InvalidFile[] {
    return [...this.#files.values()].flatMap(({ error, invalidSince }) =>
      error === undefined || invalidSince === undefined
        ? []
        : [{ file: error.file, reason: error.reason, since: invalidSince }],
    );
  }

  /** The objects of all files, by kind and key. */
  objects(): Map<string, ManifestObject> {
    const byName = [...this.#files].sort(([a], [b]) => compare(a, b));
    return mergeManifests(byName.map(([name, { parsed }]) => ({ file: this.#path(name), objects: parsed.objects })));
  }

  /** Reads modified files; with `includeIncomplete` also those that are still being written. Rejects with `ManifestError` without a directory. */
  async scan({ includeIncomplete = false } = {}): Promise<ScanResult> {
    const { directory } = this.#options;
    const names = await manifestNames(directory).catch((error) => Promise.reject(toManifestError(directory, error)));
    const present = new Set(names);
    const removed = [...this.#files.keys()].filter((name) => !present.has(name));
    for (const name of removed) this.#files.delete(name);
    // `stat` runs in parallel; files are read one by one, because each open file takes a descriptor.
    const stats = await Promise.all(names.map((name) => this.#stat(name)));
    const changed: string[] = [];
    const rescanDelays: number[] = [];
    for (const [index, name] of names.entries()) {
      const outcome = await this.#checkFile(name, { stats: stats[index], includeIncomplete });
      if (outcome === 'changed') changed.push(name);
      else if (outcome !== 'same') rescanDelays.push(outcome.rescanMs);
    }
    return {
      changed: [...removed, ...changed],
      ...(rescanDelays.length > 0 && { rescanMs: Math.min(...rescanDelays) }),
    };
  }

  async #stat(name: string): Promise<BigIntStats | Error> {
    return await stat(this.#path(name), { bigint: true }).catch((error: Error) => error);
  }

  async #checkFile(
    name: string,
    { stats, includeIncomplete }: { stats: BigIntStats | Error | undefined; includeIncomplete: boolean },
  ): Promise<FileResult> {
    try {
      if (stats instanceof Error) throw stats;
      if (stats === undefined || !stats.isFile()) return this.#removeFile(name);
      const isSame = this.#files.get(name)?.stamp === stampOf(stats);
      return isSame ? 'same' : await this.#read(name, { stats, includeIncomplete });
    } catch (error) {
      // Deleted since the directory was listed, or a dangling symbolic link.
      if (isNotFound(error)) return this.#removeFile(name);
      // A change of permissions does not change the stamp, so every scan tries again.
      this.#reportError(name, { error: toManifestError(this.#path(name), error), digest: '', stamp: '' });
      return 'same';
    }
  }

  async #read(
    name: string,
    { stats, includeIncomplete }: { stats: BigIntStats; includeIncomplete: boolean },
  ): Promise<FileResult> {
    const file = this.#path(name);
    const previous = this.#files.get(name);
    const rescanMs = this.#msUntilAge(stats, SETTLE_MS);
    if (rescanMs > 0 && !includeIncomplete) return { rescanMs };
    // Modification times are coarse (10 ms at 100 Hz): a second change within one tick would be missed.
    const stamp = rescanMs > 0 ? '' : stampOf(stats);
    if (stats.size > MAX_MANIFEST_BYTES) {
      this.#reportError(name, { error: tooLargeError(file), digest: '', stamp });
      return 'same';
    }
    const text = await readText(createReadStream(file), file);
    const digest = hash('sha256', text);
    if (previous?.digest === digest) {
      this.#files.set(name, { ...previous, stamp });
      return 'same';
    }
    const result = tryParse(text, file);
    const invalidSettleMs = this.#msUntilAge(stats, INVALID_SETTLE_MS);
    if (
      invalidSettleMs > 0 &&
      !includeIncomplete &&
      (result.error !== undefined || result.parsed.objects.length === 0)
    ) {
      return { rescanMs: invalidSettleMs };
    }
    if (result.error !== undefined) {
      this.#reportError(name, { error: result.error, digest, stamp });
      return 'same';
    }
    this.#storeFile(name, { stamp, digest, parsed: result.parsed });
    return 'changed';
  }

  /** The time until the last change has this age; 0 if it has, or if the clock of the file system is ahead. */
  #msUntilAge({ mtimeNs }: BigIntStats, ageMs: number): number {
    const { clock } = this.#options;
    const age = clock.wallTime(clock.now()) - Number(mtimeNs) / 1e6;
    return age < 0 || age >= ageMs ? 0 : Math.ceil(ageMs - age);
  }

  #removeFile(name: string): FileResult {
    return this.#files.delete(name) ? 'changed' : 'same';
  }

  #storeFile(name: string, state: FileState): void {
    const { log } = this.#options;
    const file = this.#path(name);
    if (this.#files.get(name)?.error !== undefined) log.info('manifest is readable again', { file });
    for (const issue of state.parsed.issues) log.warn('invalid document in manifest', { ...issue });
    this.#files.set(name, state);
  }

  /** Keeps the last objects of the file. The same contents are reported once. */
  #reportError(name: string, { error, digest, stamp }: { error: ManifestError; digest: string; stamp: string }): void {
    const previous = this.#files.get(name);
    const isReported = previous?.error?.message === error.message && previous.digest === digest;
    const objectCount = previous?.parsed.objects.length ?? 0;
    const { file, line, column, reason } = error;
    if (!isReported)
      this.#options.log.error('cannot read manifest; keeping its objects', {
        file,
        line,
        column,
        reason,
        count: objectCount,
      });
    const invalidSince = previous?.invalidSince ?? this.#options.clock.now();
    this.#files.set(name, { stamp, digest, parsed: previous?.parsed ?? EMPTY, error, invalidSince });
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}

function stampOf({ mtimeNs, size, ino }: BigIntStats): string {
  return `${mtimeNs} ${size} ${ino}`;
}

type ParseResult = { readonly parsed: ParsedManifests; readonly error?: undefined } | { readonly error: ManifestError };

function tryParse(text: string, file: string): ParseResult {
  try {
    return { parsed: parseManifests(text, file) };
  } catch (error) {
    return { error: toManifestError(file, error) };
  }
}
