// The manifests of a directory as they were last read, file by file.
import { hash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { compare } from '../../lib/compare.ts';
import { formatIssue } from '../../services/objects/validation-issue.ts';
import { manifestNames, readText } from './load-manifests.ts';
import { isNotFound, type ManifestError, toManifestError } from './manifest-error.ts';
import { mergeManifests } from './merge-manifests.ts';
import {
  MAX_MANIFEST_BYTES,
  type ManifestObject,
  type ParsedManifests,
  parseManifests,
  tooLarge,
} from './parse-manifests.ts';

/** A file that was written to a moment ago may not be complete. */
const SETTLE_MS = 13;
/** One that is empty or makes no sense probably is not. */
const INVALID_SETTLE_MS = 60;

export interface ManifestDirectorySetup {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ScanResult {
  /** Files whose objects are not what they were, by name. */
  readonly changed: readonly string[];
  /** Milliseconds after which to scan again for the sake of files that are still being written. */
  readonly rescanMs?: number;
}

/** What became of one file: nothing new, other objects, or something that shows in so many milliseconds. */
type FileResult = 'same' | 'changed' | { readonly rescanMs: number };

interface FileState {
  /** Changes whenever the file is written to; empty when it has to be read again in any case. */
  readonly stamp: string;
  /** Of the content; empty when it could not be read. */
  readonly digest: string;
  /** From the last content that made sense. */
  readonly parsed: ParsedManifests;
  /** What is wrong with the present content. */
  readonly error?: ManifestError;
}

const EMPTY: ParsedManifests = { objects: [], issues: [], ignored: 0 };

/** Keeps what the files of a directory hold, and reads again only those that were written to. */
export class ManifestDirectory {
  readonly #setup: ManifestDirectorySetup;
  readonly #files = new Map<string, FileState>();

  constructor(setup: ManifestDirectorySetup) {
    this.#setup = setup;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  /** The objects of all files, by kind and key. */
  objects(): Map<string, ManifestObject> {
    const byName = [...this.#files].sort(([a], [b]) => compare(a, b));
    return mergeManifests(byName.map(([name, { parsed }]) => ({ file: this.#path(name), objects: parsed.objects })));
  }

  /** Looks for changes. `hasty` takes files as they are. Rejects with `ManifestError` when there is no directory. */
  async scan({ hasty: force = false } = {}): Promise<ScanResult> {
    const { directory } = this.#setup;
    const names = await manifestNames(directory).catch((error) => Promise.reject(toManifestError(directory, error)));
    const present = new Set(names);
    const removed = [...this.#files.keys()].filter((name) => !present.has(name));
    for (const name of removed) this.#files.delete(name);
    // Looking is fast when done at once; reading goes one by one, for every open file takes a descriptor.
    const stats = await Promise.all(names.map((name) => this.#stat(name)));
    const changed: string[] = [];
    const rescanDelays: number[] = [];
    for (const [index, name] of names.entries()) {
      const outcome = await this.#checkFile(name, { look: stats[index], hasty: force });
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
    { look: stats, hasty: force }: { look: BigIntStats | Error | undefined; hasty: boolean },
  ): Promise<FileResult> {
    try {
      if (stats instanceof Error) throw stats;
      if (stats === undefined || !stats.isFile()) return this.#removeFile(name);
      const isSame = this.#files.get(name)?.stamp === stampOf(stats);
      return isSame ? 'same' : await this.#read(name, { stats: stats, hasty: force });
    } catch (error) {
      // Gone since it was listed, or a symbolic link that leads nowhere.
      if (isNotFound(error)) return this.#removeFile(name);
      // A change of permissions does not change the stamp: it is tried again at every scan.
      this.#reportError(name, { error: toManifestError(this.#path(name), error), digest: '', stamp: '' });
      return 'same';
    }
  }

  async #read(name: string, { stats, hasty: force }: { stats: BigIntStats; hasty: boolean }): Promise<FileResult> {
    const file = this.#path(name);
    const previous = this.#files.get(name);
    const rescanMs = this.#msUntilAge(stats, SETTLE_MS);
    if (rescanMs > 0 && !force) return { rescanMs };
    // The times of files are coarse (10 ms at 100 Hz): within one tick a second change would leave no trace.
    const stamp = rescanMs > 0 ? '' : stampOf(stats);
    if (stats.size > MAX_MANIFEST_BYTES) {
      this.#reportError(name, { error: tooLarge(file), digest: '', stamp });
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
    if (invalidSettleMs > 0 && !force && (result.error !== undefined || result.parsed.objects.length === 0)) {
      return { rescanMs: invalidSettleMs };
    }
    if (result.error !== undefined) {
      this.#reportError(name, { error: result.error, digest, stamp });
      return 'same';
    }
    this.#storeFile(name, { stamp, digest, parsed: result.parsed });
    return 'changed';
  }

  /** How long it takes until the last change is so old; 0 when it is, or when the clock of the file system is ahead. */
  #msUntilAge({ mtimeNs }: BigIntStats, ageMs: number): number {
    const age = this.#setup.clock.now() - Number(mtimeNs) / 1e6;
    return age < 0 || age >= ageMs ? 0 : Math.ceil(ageMs - age);
  }

  #removeFile(name: string): FileResult {
    return this.#files.delete(name) ? 'changed' : 'same';
  }

  #storeFile(name: string, state: FileState): void {
    const { log } = this.#setup;
    const file = this.#path(name);
    if (this.#files.get(name)?.error !== undefined) log.info('Manifest can be read again', { file });
    for (const issue of state.parsed.issues) log.warn(formatIssue(issue));
    this.#files.set(name, state);
  }

  /** Keeps the objects that the file had. The same content is complained about once. */
  #reportError(name: string, { error, digest, stamp }: { error: ManifestError; digest: string; stamp: string }): void {
    const previous = this.#files.get(name);
    const isReported = previous?.error?.message === error.message && previous.digest === digest;
    const kept = previous?.parsed.objects.length ?? 0;
    const { file, line } = error;
    if (!isReported)
      this.#setup.log.error(error.message, { file, ...(line !== undefined && { line }), objectsKept: kept });
    this.#files.set(name, { stamp, digest, parsed: previous?.parsed ?? EMPTY, error });
  }

  #path(name: string): string {
    return join(this.#setup.directory, name);
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
