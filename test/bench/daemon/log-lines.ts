// The log of a daemon, line by line as it comes.
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** A line of the log, as far as it matters here. */
export interface LogLine {
  readonly msg: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly operations?: number;
  readonly latencyMs?: number;
}

export class LogLines {
  readonly all: LogLine[] = [];
  readonly #strange: string[] = [];
  #isOver = false;
  #heard = Promise.withResolvers<void>();

  constructor(stream: Readable) {
    const lines = createInterface({ input: stream });
    lines.on('line', (line) => this.#take(line));
    lines.on('close', () => {
      this.#isOver = true;
      this.#heard.resolve();
    });
  }

  /** The first line that is as wanted, of those before and those to come. */
  async find(isWanted: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.all.find(isWanted);
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`The daemon has ended:\n${this.#strange.join('\n')}${this.#tail()}`);
      await this.#next();
    }
  }

  async #next(): Promise<void> {
    await this.#heard.promise;
  }

  #take(line: string): void {
    const parsed = parse(line);
    if (parsed === undefined) this.#strange.push(line);
    else this.all.push(parsed);
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
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
