// Standard output and standard error: their errors, and their end.

import { fstatSync, writeSync } from 'node:fs';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { EXIT, type ExitStatus } from './exit-status.ts';

/** A message that its reader does not take must not keep the process. */
const MESSAGE_TIMEOUT_MS = 200;

/**
 * A reader of the output that closes the pipe early, such as `head`, is not a failure, but ends the command. Without a
 * disk or a reader for messages, the command continues.
 */
export function handleOutputErrors(end: (status: ExitStatus) => never): void {
  if (fstatSync(1).isFile()) process.stdout._write = writeToFile;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') end(EXIT.ok);
    process.stderr.write(`nftlane: Cannot write the output: ${error.message}\n`);
    end(EXIT.failure);
  });
  process.stderr.on('error', () => {});
}

/** Node.js takes a short write to a file, on a disk that becomes full, for a complete one. */
function writeToFile(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
  try {
    for (let offset = 0; offset < chunk.length; ) offset += writeSync(1, chunk, offset);
    done();
  } catch (error) {
    done(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Resolves when the reader of the output has taken everything, however slow it is. */
export async function outputWritten(): Promise<void> {
  // The error of a write is an event of the next turn.
  await nextTurn();
  if (process.stdout.writableLength > 0) await written(process.stdout);
  if (process.stderr.writableLength === 0) return;
  await Promise.race([written(process.stderr), delay(MESSAGE_TIMEOUT_MS)]);
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}
