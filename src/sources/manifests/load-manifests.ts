// Loads manifests once, for `-f`.

import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readBoundedFile, UnreadableFile } from '../../host/files/bounded-file.ts';
import { sorted } from '../../lib/compare.ts';
import type { ValidationIssue } from '../../services/objects/validation-issue.ts';
import { type FileObjects, mergeManifests } from './merge-manifests.ts';
import { type ManifestError, toManifestError } from './parse/manifest-error.ts';
import { ManifestParser } from './parse/manifest-parser.ts';
import { MAX_MANIFEST_BYTES, type ManifestObject } from './parse/parse-manifests.ts';

export interface LoadedManifests {
  /** Each object once. Of several definitions, the last one, with an issue. */
  readonly objects: readonly ManifestObject[];
  /** Issues of documents that are not objects; those of an object are in its `result`. */
  readonly issues: readonly ValidationIssue[];
  /** One for each file or document that cannot be read, or one if the path does not exist. */
  readonly errors: readonly ManifestError[];
  /** The number of files that could be read, perhaps except single documents. */
  readonly files: number;
  /** The number of objects of other kinds. */
  readonly ignored: number;
}

interface LoadOptions {
  /** The input for `-`. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/**
 * Reads a file, all manifests of a directory (see {@link manifestNames}), or standard input for `-`.
 * Never rejects because of a file: errors are part of the result, and the other files are used.
 */
export async function loadManifests(
  path: string,
  { stdin = process.stdin }: LoadOptions = {},
): Promise<LoadedManifests> {
  const files: FileObjects[] = [];
  const issues: ValidationIssue[] = [];
  const errors: ManifestError[] = [];
  const parser = new ManifestParser();
  let ignored = 0;
  try {
    for (const { file, read } of await sourcesOf(path, stdin)) {
      try {
        const parsed = await parser.parse({ file, bytes: await read() });
        files.push({ file, objects: parsed.objects });
        issues.push(...parsed.issues);
        errors.push(...parsed.errors);
        for (const count of parsed.ignored.values()) ignored += count;
      } catch (error) {
        errors.push(toManifestError(file, error));
      }
    }
  } catch (error) {
    errors.push(toManifestError(path, error));
  }
  const objects = [...mergeManifests(files).values()];
  return { objects, issues, errors, files: files.length, ignored };
}

interface Source {
  readonly file: string;
  readonly read: () => Promise<Uint8Array>;
}

async function sourcesOf(path: string, stdin: AsyncIterable<Uint8Array>): Promise<Source[]> {
  if (path === '-') return [{ file: 'standard input', read: () => readStream(stdin) }];
  const stats = await stat(path);
  // Given by its name, as a shell does for `<(command)`.
  if (stats.isFIFO()) return [{ file: path, read: () => readStream(createReadStream(path)) }];
  const files = stats.isDirectory() ? (await manifestNames(path)).map((name) => join(path, name)) : [path];
  return files.map((file) => ({ file, read: () => readBoundedFile(file, { maxBytes: MAX_MANIFEST_BYTES }) }));
}

/** Names that begin with a dot are not manifests: `..data` of a mounted ConfigMap, swap files of editors. */
const MANIFEST_NAME = /^[^.].*\.(?:yaml|yml|json)$/s;

/** The `*.yaml`, `*.yml` and `*.json` files of a directory, sorted, without subdirectories. */
export async function manifestNames(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  // Pipes and devices are reported when they are read.
  const files = entries.filter((entry) => !entry.isDirectory());
  return sorted(files.map(({ name }) => name).filter((name) => MANIFEST_NAME.test(name)));
}

/** Rejects beyond {@link MAX_MANIFEST_BYTES}. */
async function readStream(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size > MAX_MANIFEST_BYTES) throw new UnreadableFile(`is larger than ${MAX_MANIFEST_BYTES / 1024 ** 2} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
