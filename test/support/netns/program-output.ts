// The lines that one of our programs prints, with an error that tells why when it ends.
import { createInterface } from 'node:readline';
import type { PipedChild } from './process.ts';

/** Yields line by line. Throws what the program wrote to standard error when it ends, for we never let it end by itself. */
export async function* outputLines(child: PipedChild, what: string): AsyncGenerator<string, never, undefined> {
  const complaints: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()));
  const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
  yield* createInterface({ input: child.stdout });
  const cause = child.pid === undefined ? await failed : complaints.join('');
  throw new Error(`Cannot go on with the ${what}: it has ended\n${cause}`);
}
