// Creates a directory with its parents.

import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathExists } from './path-exists.ts';

/**
 * Like `mkdir -p`, with mode 0755. Rejects with the error of the system call. Not `mkdir` with `recursive`: below
 * `/proc`, where a missing directory cannot be created, it never ends (Node 24).
 */
export async function makeDirectory(path: string): Promise<void> {
  const absolute = resolve(path);
  const error = await tryCreate(absolute);
  if (error === undefined) return;
  if (error.code === 'EEXIST' || error.code === 'EROFS') {
    if ((await stat(absolute)).isDirectory()) return;
    throw error;
  }
  const parent = dirname(absolute);
  if (error.code !== 'ENOENT' || parent === absolute || (await pathExists(parent))) throw error;
  await makeDirectory(parent);
  const retryError = await tryCreate(absolute);
  if (retryError !== undefined && retryError.code !== 'EEXIST') throw retryError;
}

async function tryCreate(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return mkdir(path, { mode: 0o755 }).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
}
