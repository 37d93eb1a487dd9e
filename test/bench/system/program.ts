// Runs a test program in a network namespace that answers each line with a line.

import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../support/netns/namespace.ts';
import { killGroup, type PipedChild } from '../../support/netns/process.ts';
import { outputLines } from '../../support/netns/program-output.ts';

/** Starts a program of `test/`, given as a path below it, and waits for its first line. */
export async function startProgram(namespace: Namespace, file: string, args: readonly string[] = []): Promise<Program> {
  const path = fileURLToPath(new URL(`../../${file}`, import.meta.url));
  const child = namespace.spawn(process.execPath, [path, ...args]);
  const lines = outputLines(child, file);
  await lines.next();
  return new Program(child, lines);
}

export class Program {
  readonly #child: PipedChild;
  readonly #lines: AsyncGenerator<string, never, undefined>;

  constructor(child: PipedChild, lines: AsyncGenerator<string, never, undefined>) {
    this.#child = child;
    this.#lines = lines;
  }

  /** The program's own process ID: `ip netns exec` replaces itself with the program. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends a line and returns the reply. One request at a time. */
  async request(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return (await this.#lines.next()).value;
  }

  stop(): void {
    killGroup(this.#child);
  }
}
