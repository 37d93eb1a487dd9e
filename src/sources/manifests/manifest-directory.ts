// The manifests of a directory, with the last valid contents of each file.

import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../host/clock.ts';
import { readBoundedFile } from '../../host/files/bounded-file.ts';
import type { Log } from '../../host/log.ts';
import { compare } from '../../lib/compare.ts';
import { BackgroundReads } from './background-reads.ts';
import { manifestNames } from './load-manifests.ts';
import { mergeManifests } from './merge-manifests.ts';
import { isNotFound, type ManifestError, toManifestError } from './parse/manifest-error.ts';
import { ManifestParser } from './parse/manifest-parser.ts';
import { MAX_MANIFEST_BYTES, type ManifestObject, type ParsedManifests } from './parse/parse-manifests.ts';

/** A file that was modified more recently may be incomplete. */
const SETTLE_MS = 13;
/** The same for an empty or invalid file, which is probably incomplete. */
const INVALID_SETTLE_MS = 60;
/** A scan that takes longer is continued by the next one, so that changes are delivered in between. */
const MAX_SCAN_MS = 200;
/** A file of this size is read while the scan waits. */
const SMALL_FILE_BYTES = 16 * 1024;
const POSTPONED_MS = 100;
const HASH_CHUNK_BYTES = 1024 ** 2;

interface ManifestDirectoryOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** A file was read in the background: the next scan returns it. */
  readonly onRead?: () => void;
}

/** A file with contents that cannot be used. Its last valid objects are used instead. */
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
  /** Files are still being read in the background. */
  readonly isReading?: true;
}

interface ScanOptions {
  /** Includes files that are still being written. */
  readonly includeIncomplete?: boolean;
  /** Waits for all files, however long they take. */
  readonly waitForAll?: boolean;
}

/** The result for one file: no change, other objects, or to be scanned again after a delay. */
type FileResult = 'same' | 'changed' | { readonly rescanMs: number };

interface FileState {
  /** Changes whenever the file is modified; empty to read the file again in any case. */
  readonly stamp: string;
  /** Of the contents; empty if they could not be read. */
  readonly digest: string;
  /** From the contents, and from the previous ones if they have an error. */
  readonly parsed: ParsedManifests;
  /** The first error of the contents. */
  readonly error?: ManifestError | undefined;
  /** Since there is an error, in milliseconds since 1970. */
  readonly invalidSince?: number;
}

const EMPTY: ParsedManifests = { objects: [], issues: [], errors: [], ignored: new Map() };

/** Keeps the objects of all files and reads only modified files again. */
export class ManifestDirectory {
  readonly #options: ManifestDirectoryOptions;
  readonly #files = new Map<string, FileState>();
  readonly #parser = new ManifestParser();
  readonly #reads: BackgroundReads<FileResult>;

  constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
    this.#reads = new BackgroundReads(() => options.onRead?.());
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

  /** The number of objects of each type that nftlane does not use. */
  get ignored(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { parsed } of this.#files.values()) {
      for (const [type, count] of parsed.ignored) counts.set(type, (counts.get(type) ?? 0) + count);
    }
    return counts;
  }

  /** The objects of all files, by kind and key. */
  objects(): Map<string, ManifestObject> {
    const byName = [...this.#files].sort(([a], [b]) => compare(a, b));
    return mergeManifests(byName.map(([name, { parsed }]) => ({ file: this.#path(name), objects: parsed.objects })));
  }

  /** Reads modified files. Rejects with `ManifestError` without a directory. */
  async scan(options: ScanOptions = {}): Promise<ScanResult> {
    const { directory } = this.#options;
    const names = await manifestNames(directory).catch((error) => Promise.reject(toManifestError(directory, error)));
    const present = new Set(names);
    const removed = [...this.#files.keys()].filter((name) => !present.has(name));
    for (const name of removed) this.#files.delete(name);
    // `stat` runs in parallel; files are read one by one, because each open file takes a descriptor.
    const stats = await Promise.all(names.map((name) => this.#stat(name)));
    const results = this.#reads.take();
    const startedAt = performance.now();
    for (const [index, name] of names.entries()) {
      const isLate = options.waitForAll !== true && performance.now() - startedAt > MAX_SCAN_MS;
      const result = await this.#checkFile(name, { stats: stats[index], isLate, ...options });
      if (result !== 'same' || !results.has(name)) results.set(name, result);
    }
    const delays = [...results.values()].flatMap((result) => (typeof result === 'string' ? [] : result.rescanMs));
    const changed = [...results].filter(([name, result]) => result === 'changed' && present.has(name));
    return {
      changed: [...removed, ...changed.map(([name]) => name)],
      ...(this.#reads.count > 0 && { isReading: true }),
      ...(delays.length > 0 && { rescanMs: Math.min(...delays) }),
    };
  }

  /** Ends what runs in the background. */
  close(): void {
    this.#reads.abortAll();
  }

  async #stat(name: string): Promise<BigIntStats | Error> {
    return await stat(this.#path(name), { bigint: true }).catch((error: Error) => error);
  }

  async #checkFile(name: string, { stats, isLate, ...options }: FileCheck): Promise<FileResult> {
    const { includeIncomplete = false, waitForAll = false } = options;
    if (stats instanceof Error) return this.#failed(name, stats);
    if (stats === undefined || stats.isDirectory()) return this.#removeFile(name);
    const stamp = stampOf(stats);
    if (this.#files.get(name)?.stamp === stamp || this.#reads.isReading(name, stamp)) return 'same';
    const rescanMs = this.#msUntilAge(stats, SETTLE_MS);
    if (rescanMs > 0 && !includeIncomplete) return { rescanMs };
    const isLarge = stats.size > SMALL_FILE_BYTES;
    if (isLate || (isLarge && this.#reads.isFull && !waitForAll)) return { rescanMs: isLate ? 1 : POSTPONED_MS };
    // Modification times are coarse (10 ms at 100 Hz): a second change within one tick would be missed.
    const file = { stats, stamp: rescanMs > 0 ? '' : stamp, includeIncomplete };
    const read = (signal: AbortSignal) =>
      this.#read(name, file, signal).catch(
        (error): FileResult => (signal.aborted ? 'same' : this.#failed(name, error)),
      );
    if (waitForAll) return await read(new AbortController().signal);
    return (await this.#reads.run(name, { stamp, read })) ?? 'same';
  }

  async #read(name: string, { stats, stamp, includeIncomplete }: FileRead, signal: AbortSignal): Promise<FileResult> {
    const file = this.#path(name);
    const bytes = await readBoundedFile(file, { maxBytes: MAX_MANIFEST_BYTES });
    const digest = await digestOf(bytes);
    const previous = this.#files.get(name);
    if (previous?.digest === digest) {
      this.#files.set(name, { ...previous, stamp });
      return 'same';
    }
    const parsed = await this.#parser.parse({ file, bytes }, signal).catch((error) => {
      if (signal.aborted) throw error;
      return { ...EMPTY, errors: [toManifestError(file, error)] };
    });
    if (signal.aborted) return 'same';
    const rescanMs = this.#msUntilAge(stats, INVALID_SETTLE_MS);
    const isInvalid = parsed.errors.length > 0 || parsed.objects.length === 0;
    if (rescanMs > 0 && !includeIncomplete && isInvalid) return { rescanMs };
    return this.#storeFile(name, { stamp, digest, parsed });
  }

  /** The time until the last change has this age; 0 if it has, or if the clock of the file system is ahead. */
  #msUntilAge({ mtimeNs }: BigIntStats, ageMs: number): number {
    const { clock } = this.#options;
    const age = clock.wallTime(clock.now()) - Number(mtimeNs) / 1e6;
    return age < 0 || age >= ageMs ? 0 : Math.ceil(ageMs - age);
  }

  #removeFile(name: string): FileResult {
    this.#reads.abort(name);
    return this.#files.delete(name) ? 'changed' : 'same';
  }

  #failed(name: string, error: unknown): FileResult {
    // Deleted since the directory was listed, or a dangling symbolic link.
    if (isNotFound(error)) return this.#removeFile(name);
    // A change of permissions does not change the stamp, so every scan tries again.
    const errors = [toManifestError(this.#path(name), error)];
    return this.#storeFile(name, { digest: '', stamp: '', parsed: { ...EMPTY, errors } });
  }

  /** With an error, keeps those of the last objects that the file does not define again. */
  #storeFile(name: string, { stamp, digest, parsed }: FileState): FileResult {
    const { log } = this.#options;
    const previous = this.#files.get(name);
    const [error] = parsed.errors;
    if (error === undefined) {
      if (previous?.error !== undefined) log.info('manifest is readable again', { file: this.#path(name) });
      if ((previous?.parsed.issues.length ?? 0) > 0 && parsed.issues.length === 0)
        log.info('manifest no longer has an invalid document', { file: this.#path(name) });
      this.#logIssues(parsed);
      this.#files.set(name, { stamp, digest, parsed });
      return 'changed';
    }
    const ids = new Set(parsed.objects.map(idOf));
    const kept = (previous?.parsed.objects ?? []).filter((object) => !ids.has(idOf(object)));
    const isReported = previous?.error?.message === error.message && previous.digest === digest;
    if (!isReported) this.#logErrors(parsed.errors, kept.length);
    if (!isReported) this.#logIssues(parsed);
    const invalidSince = previous?.invalidSince ?? this.#options.clock.now();
    const merged = { ...parsed, objects: [...parsed.objects, ...kept] };
    this.#files.set(name, { stamp, digest, parsed: merged, error, invalidSince });
    return parsed.objects.length > 0 && !isReported ? 'changed' : 'same';
  }

  #logErrors(errors: readonly ManifestError[], count: number): void {
    for (const { file, line, column, reason } of errors.slice(0, MAX_LOGGED)) {
      this.#options.log.error('cannot read manifest; keeping its objects', { file, line, column, reason, count });
    }
  }

  #logIssues({ issues }: ParsedManifests): void {
    for (const issue of issues.slice(0, MAX_LOGGED)) {
      this.#options.log.warn('invalid document in manifest', { ...issue });
    }
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}

/** Of one file. The first ones explain the others. */
const MAX_LOGGED = 20;

interface FileCheck extends ScanOptions {
  readonly stats: BigIntStats | Error | undefined;
  /** The scan has taken too long. */
  readonly isLate: boolean;
}

interface FileRead {
  readonly stats: BigIntStats;
  readonly stamp: string;
  readonly includeIncomplete: boolean;
}

function idOf({ kind, result }: ManifestObject): string {
  return `${kind} ${result.key}`;
}

function stampOf({ mtimeNs, size, ino }: BigIntStats): string {
  return `${mtimeNs} ${size} ${ino}`;
}

/** In pieces, because 64 MiB take 60 ms. */
async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let start = 0; start < bytes.byteLength; start += HASH_CHUNK_BYTES) {
    if (start > 0) await nextTurn();
    hash.update(bytes.subarray(start, start + HASH_CHUNK_BYTES));
  }
  return hash.digest('hex');
}
