// Reads the log of a daemon line by line.

import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The fields of a log line that the bench uses. */
export interface LogLine {
  readonly msg: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly operations?: number;
  readonly latencyMs?: number;
}

export class LogLines {
  readonly all: LogLine[] = [];
  readonly #otherLines: string[] = [];
  #hasEnded = false;
  #arrival = Promise.withResolvers<void>();

  constructor(stream: Readable) {
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => this.#take(line));
    lines.on('close', () => {
      this.#hasEnded = true;
      this.#arrival.resolve();
    });
  }

  /** The first line that matches, among past and future lines. */
  async find(matches: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.all.find(matches);
      if (found !== undefined) return found;
      if (this.#hasEnded)
        throw new Error(
          `Cannot find a log line: the daemon has exited:\n${this.#otherLines.join('\n')}${this.#tail()}`,
        );
      await this.#next();
    }
  }

  async #next(): Promise<void> {
    await this.#arrival.promise;
  }

  #take(line: string): void {
    const parsed = parse(line);
    if (parsed === undefined) this.#otherLines.push(line);
    else this.all.push(parsed);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }

  #tail(): string {
    return this.all
      .slice(-5)
      .map(({ msg }) => `\n${msg}`)
      .join('');
  }
}

function parse(line: string): LogLine | undefined {
  try {
    const { time, ...rest } = JSON.parse(line);
    return { ...rest, at: Date.parse(time) };
  } catch {
    return undefined;
  }
}
