// The manifests of a directory as they were last read, file by file.
import { hash } from 'node:crypto';
import { type BigIntStats, createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { compare } from '../../lib/compare.ts';
import { describeFinding } from '../../services/objects/finding.ts';
import { isAbsence, type ManifestError, toManifestError } from './manifest-error.ts';
import { manifestNames, readText } from './manifest-files.ts';
import { mergeManifests } from './merge-manifests.ts';
import {
  MAX_MANIFEST_BYTES,
  type ManifestObject,
  type ParsedManifests,
  parseManifests,
  tooLarge,
} from './parse-manifests.ts';

/** A file that was written to a moment ago may not be complete. */
const QUIET_MS = 13;
/** One that is empty or makes no sense probably is not. */
const DOUBT_MS = 60;

export interface FolderSetup {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Scan {
  /** Files whose objects are not what they were, by name. */
  readonly changed: readonly string[];
  /** Milliseconds after which to scan again for the sake of files that are still being written. */
  readonly dueMs?: number;
}

/** What became of one file: nothing new, other objects, or something that shows in so many milliseconds. */
type Outcome = 'same' | 'changed' | { readonly dueMs: number };

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

const NOTHING: ParsedManifests = { objects: [], findings: [], passedOver: 0 };

/** Keeps what the files of a directory hold, and reads again only those that were written to. */
export class ManifestFolder {
  readonly #setup: FolderSetup;
  readonly #files = new Map<string, FileState>();

  constructor(setup: FolderSetup) {
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
  async scan({ hasty = false } = {}): Promise<Scan> {
    const { directory } = this.#setup;
    const names = await manifestNames(directory).catch((error) => Promise.reject(toManifestError(directory, error)));
    const present = new Set(names);
    const gone = [...this.#files.keys()].filter((name) => !present.has(name));
    for (const name of gone) this.#files.delete(name);
    // Looking is fast when done at once; reading goes one by one, for every open file takes a descriptor.
    const looks = await Promise.all(names.map((name) => this.#look(name)));
    const changed: string[] = [];
    const waits: number[] = [];
    for (const [index, name] of names.entries()) {
      const outcome = await this.#visit(name, { look: looks[index], hasty });
      if (outcome === 'changed') changed.push(name);
      else if (outcome !== 'same') waits.push(outcome.dueMs);
    }
    return { changed: [...gone, ...changed], ...(waits.length > 0 && { dueMs: Math.min(...waits) }) };
  }

  async #look(name: string): Promise<BigIntStats | Error> {
    return await stat(this.#path(name), { bigint: true }).catch((error: Error) => error);
  }

  async #visit(
    name: string,
    { look, hasty }: { look: BigIntStats | Error | undefined; hasty: boolean },
  ): Promise<Outcome> {
    try {
      if (look instanceof Error) throw look;
      if (look === undefined || !look.isFile()) return this.#forget(name);
      const isSame = this.#files.get(name)?.stamp === stampOf(look);
      return isSame ? 'same' : await this.#read(name, { stats: look, hasty });
    } catch (error) {
      // Gone since it was listed, or a symbolic link that leads nowhere.
      if (isAbsence(error)) return this.#forget(name);
      // A change of permissions does not change the stamp: it is tried again at every scan.
      this.#complain(name, { error: toManifestError(this.#path(name), error), digest: '', stamp: '' });
      return 'same';
    }
  }

  async #read(name: string, { stats, hasty }: { stats: BigIntStats; hasty: boolean }): Promise<Outcome> {
    const file = this.#path(name);
    const known = this.#files.get(name);
    const dueMs = this.#untilAge(stats, QUIET_MS);
    if (dueMs > 0 && !hasty) return { dueMs };
    // The times of files are coarse (10 ms at 100 Hz): within one tick a second change would leave no trace.
    const stamp = dueMs > 0 ? '' : stampOf(stats);
    if (stats.size > MAX_MANIFEST_BYTES) {
      this.#complain(name, { error: tooLarge(file), digest: '', stamp });
      return 'same';
    }
    const text = await readText(createReadStream(file), file);
    const digest = hash('sha256', text);
    if (known?.digest === digest) {
      this.#files.set(name, { ...known, stamp });
      return 'same';
    }
    const result = tryParse(text, file);
    const doubtMs = this.#untilAge(stats, DOUBT_MS);
    if (doubtMs > 0 && !hasty && (result.error !== undefined || result.parsed.objects.length === 0)) {
      return { dueMs: doubtMs };
    }
    if (result.error !== undefined) {
      this.#complain(name, { error: result.error, digest, stamp });
      return 'same';
    }
    this.#accept(name, { stamp, digest, parsed: result.parsed });
    return 'changed';
  }

  /** How long it takes until the last change is so old; 0 when it is, or when the clock of the file system is ahead. */
  #untilAge({ mtimeNs }: BigIntStats, ageMs: number): number {
    const age = this.#setup.clock.now() - Number(mtimeNs) / 1e6;
    return age < 0 || age >= ageMs ? 0 : Math.ceil(ageMs - age);
  }

  #forget(name: string): Outcome {
    return this.#files.delete(name) ? 'changed' : 'same';
  }

  #accept(name: string, state: FileState): void {
    const { log } = this.#setup;
    const file = this.#path(name);
    if (this.#files.get(name)?.error !== undefined) log.info('Manifest can be read again', { file });
    for (const finding of state.parsed.findings) log.warn(describeFinding(finding));
    this.#files.set(name, state);
  }

  /** Keeps the objects that the file had. The same content is complained about once. */
  #complain(name: string, { error, digest, stamp }: { error: ManifestError; digest: string; stamp: string }): void {
    const known = this.#files.get(name);
    const isKnown = known?.error?.message === error.message && known.digest === digest;
    const kept = known?.parsed.objects.length ?? 0;
    const { file, line } = error;
    if (!isKnown)
      this.#setup.log.error(error.message, { file, ...(line !== undefined && { line }), objectsKept: kept });
    this.#files.set(name, { stamp, digest, parsed: known?.parsed ?? NOTHING, error });
  }

  #path(name: string): string {
    return join(this.#setup.directory, name);
  }
}

function stampOf({ mtimeNs, size, ino }: BigIntStats): string {
  return `${mtimeNs} ${size} ${ino}`;
}

type Parse = { readonly parsed: ParsedManifests; readonly error?: undefined } | { readonly error: ManifestError };

function tryParse(text: string, file: string): Parse {
  try {
    return { parsed: parseManifests(text, file) };
  } catch (error) {
    return { error: toManifestError(file, error) };
  }
}
