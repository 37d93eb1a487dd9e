// The output lines of a helper program, with its error output if it exits.

import { createInterface } from 'node:readline';
import type { PipedChild } from './process.ts';

/** Yields line by line. Throws the program's error output if it exits, because helper programs run until they are killed. */
export async function* outputLines(child: PipedChild, what: string): AsyncGenerator<string, never, undefined> {
  const complaints: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()));
  const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
  yield* createInterface({ input: child.stdout });
  const cause = child.pid === undefined ? await failed : complaints.join('');
  throw new Error(`The ${what} exited\n${cause}`);
}
