// Reads the files that a daemon left.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { asObject } from '../../services/objects/read.ts';
import { isStamp } from './stamp.ts';
import type { SavedState, StateFilePaths, StatusFile } from './state-files.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Beyond these, a file is not ours. */
const [MAX_FILE_BYTES, MAX_TEXT_BYTES] = [64 * 1024 ** 2, 512 * 1024 ** 2];

/** What is left of a daemon. */
export interface Remains {
  readonly status?: StatusFile;
  readonly state?: SavedState;
}

/** Missing, damaged and foreign files, and a state of another version, are left out. Never rejects. */
export async function readStateFiles(paths: StateFilePaths, version: string): Promise<Remains> {
  const [status, state] = await Promise.all([
    readStatusFile(paths),
    readJson(paths.state, gunzipBounded).then((value) => (isSavedState(value, version) ? value : undefined)),
  ]);
  return { ...(status === undefined ? {} : { status }), ...(state === undefined ? {} : { state }) };
}

/** The status file alone, which is small. `undefined` if it is missing, damaged or foreign. */
export async function readStatusFile({ status }: Pick<StateFilePaths, 'status'>): Promise<StatusFile | undefined> {
  const value = await readJson(status, async (bytes) => bytes);
  return isStatusFile(value) ? value : undefined;
}

function gunzipBounded(bytes: Buffer): Promise<Buffer> {
  return promisify(gunzip)(bytes, { maxOutputLength: MAX_TEXT_BYTES });
}

async function readJson(path: string, decode: (bytes: Buffer) => Promise<Buffer>): Promise<unknown> {
  try {
    return JSON.parse((await decode(await readOwnFile(path))).toString());
  } catch {
    return undefined;
  }
}

/** Only regular files that belong to this user, as the socket does: their contents are trusted. */
async function readOwnFile(path: string): Promise<Buffer> {
  await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const stats = await file.stat();
  if (!stats.isFile() || stats.uid !== process.getuid?.() || stats.size > MAX_FILE_BYTES)
    throw new Error('not a regular file of this user, or too large');
  return await file.readFile();
}

function isStatusFile(value: unknown): value is StatusFile {
  const { stamp, status } = asObject(value);
  return isStamp(stamp) && isStatus(status);
}

function isSavedState(value: unknown, version: string): value is SavedState {
  const { stamp, status, objects, options, version: writtenBy } = asObject(value);
  const lists = Object.values(asObject(objects));
  const isState = isStamp(stamp) && isStatus(status) && typeof options === 'object' && options !== null;
  return isState && writtenBy === version && lists.length >= 4 && lists.every((list) => Array.isArray(list));
}

function isStatus(value: unknown): boolean {
  const { node, pid, source, sync } = asObject(value);
  const { name, problems } = asObject(source);
  const isNamed = typeof node === 'string' && typeof name === 'string' && typeof pid === 'number';
  return isNamed && Array.isArray(problems) && typeof asObject(sync)['commits'] === 'number';
}
