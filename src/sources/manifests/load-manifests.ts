// Loads manifests once, for `-f`.

import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sorted } from '../../lib/compare.ts';
import type { ValidationIssue } from '../../services/objects/validation-issue.ts';
import { type ManifestError, toManifestError } from './manifest-error.ts';
import { type FileObjects, mergeManifests } from './merge-manifests.ts';
import { MAX_MANIFEST_BYTES, type ManifestObject, parseManifests, tooLargeError } from './parse-manifests.ts';

export interface LoadedManifests {
  /** Each object once. Of several definitions, the last one, with an issue. */
  readonly objects: readonly ManifestObject[];
  /** Issues of documents that are not objects; those of an object are in its `result`. */
  readonly issues: readonly ValidationIssue[];
  /** One for each file that cannot be read, or one if the path does not exist. */
  readonly errors: readonly ManifestError[];
  /** The number of files that could be read. */
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
  let ignored = 0;
  try {
    for (const { file, open } of await sourcesOf(path, stdin)) {
      try {
        const parsed = parseManifests(await readText(open(), file), file);
        files.push({ file, objects: parsed.objects });
        issues.push(...parsed.issues);
        ignored += parsed.ignored;
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
  readonly open: () => AsyncIterable<Uint8Array>;
}

async function sourcesOf(path: string, stdin: AsyncIterable<Uint8Array>): Promise<Source[]> {
  if (path === '-') return [{ file: 'standard input', open: () => stdin }];
  const isDirectory = (await stat(path)).isDirectory();
  const files = isDirectory ? (await manifestNames(path)).map((name) => join(path, name)) : [path];
  return files.map((file) => ({ file, open: () => createReadStream(file, { highWaterMark: 1024 ** 2 }) }));
}

/** Names that begin with a dot are not manifests: `..data` of a mounted ConfigMap, swap files of editors. */
const MANIFEST_NAME = /^[^.].*\.(?:yaml|yml|json)$/s;

/** The `*.yaml`, `*.yml` and `*.json` files of a directory, sorted, without subdirectories. */
export async function manifestNames(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  // The target of a symbolic link is not known yet. Reading a pipe could block forever.
  const readable = entries.filter((entry) => entry.isFile() || entry.isSymbolicLink());
  return sorted(readable.map(({ name }) => name).filter((name) => MANIFEST_NAME.test(name)));
}

/** Reads a stream as UTF-8. Rejects with {@link ManifestError} beyond {@link MAX_MANIFEST_BYTES}. */
export async function readText(stream: AsyncIterable<Uint8Array>, file: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size > MAX_MANIFEST_BYTES) throw tooLargeError(file);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
