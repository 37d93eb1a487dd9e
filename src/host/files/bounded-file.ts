// Reads regular files up to a size, and nothing else: no pipe, device or endless file can hold the reader.

import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

interface BoundedReadOptions {
  /** A larger file is refused after this number of bytes. */
  readonly maxBytes: number;
  /** A file system that does not answer, such as a network mount, is given up after this time. */
  readonly timeoutMs?: number;
}

/** The file is not a regular file, too large, or does not answer. The message is the state only: `is a named pipe`. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
}

const TIMEOUT_MS = 5_000;
const CHUNK_BYTES = 64 * 1024;
/** NONBLOCK: a named pipe would otherwise wait for a writer. NOCTTY: a terminal must not become ours. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * The content of a regular file. Rejects with {@link UnreadableFile}, or with the error of the system call. Files of
 * `/proc` and `/sys` count as regular; those that would wait for data, such as `/proc/kmsg`, are refused.
 */
export async function readBoundedFile(path: string, options: BoundedReadOptions): Promise<Buffer> {
  const { timeoutMs = TIMEOUT_MS } = options;
  const stop = new AbortController();
  const timeout = delay(timeoutMs, undefined, { signal: stop.signal, ref: false }).then(() => {
    throw new UnreadableFile(`did not answer within ${timeoutMs / 1000} s`);
  });
  const content = readRegularFile(path, options.maxBytes);
  try {
    return await Promise.race([content, timeout]);
  } finally {
    stop.abort();
    // Whichever lost the race must not end the process.
    timeout.catch(() => {});
    content.catch(() => {});
  }
}

async function readRegularFile(path: string, maxBytes: number): Promise<Buffer> {
  // Before it is opened, because opening some devices has an effect.
  refuseUnlessRegular(await stat(path));
  await using file = await open(path, FLAGS);
  const stats = await file.stat();
  refuseUnlessRegular(stats);
  if (stats.size > maxBytes) throw tooLarge(maxBytes);
  return await readAll(file, maxBytes);
}

/** Reads in chunks: the size of a file may change meanwhile, and files of `/proc` have none. */
async function readAll(file: FileHandle, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES)).catch(describeReadError);
    if (bytesRead === 0) return Buffer.concat(chunks, size);
    size += bytesRead;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

function describeReadError(error: unknown): never {
  const waits = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
  throw waits ? new UnreadableFile('has no end: it waits for data') : error;
}

function tooLarge(maxBytes: number): UnreadableFile {
  const limit = maxBytes >= 1024 ** 2 ? `${maxBytes / 1024 ** 2} MiB` : `${maxBytes / 1024} KiB`;
  return new UnreadableFile(`is larger than ${limit}`);
}

function refuseUnlessRegular(stats: Stats): void {
  if (!stats.isFile()) throw new UnreadableFile(`is ${describeType(stats)}, not a regular file`);
}

function describeType(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
