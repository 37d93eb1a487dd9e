// A process that is spoken to by lines.
import { createInterface } from 'node:readline';
import { killGroup, type PipedChild } from '../netns/process.ts';

export interface Answer {
  /** Data lines. */
  readonly lines: readonly string[];
  /** The last line. */
  readonly end: string;
}

export class Talker {
  readonly child: PipedChild;
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  readonly #early: string[] = [];
  #stderr = '';
  #ended = false;

  constructor(child: PipedChild) {
    this.child = child;
    createInterface({ input: child.stdout })
      .on('line', (line) => {
        const waiting = this.#waiting.shift();
        if (waiting === undefined) this.#early.push(line);
        else waiting(line);
      })
      .on('close', () => {
        this.#ended = true;
        for (const waiting of this.#waiting.splice(0)) waiting(undefined);
      });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  send(lines: string): void {
    this.child.stdin.write(`${lines}\n`);
  }

  /** The next line. Rejects when the process has ended. */
  async line(): Promise<string> {
    const line =
      this.#early.shift() ??
      (this.#ended ? undefined : await new Promise<string | undefined>((resolve) => this.#waiting.push(resolve)));
    if (line === undefined) throw new Error(`The process has ended: ${this.#stderr}`);
    return line;
  }

  /** Sends a request and reads its answer, up to the line that begins with "ok" or "error". */
  async ask(request: string): Promise<Answer> {
    this.send(request);
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      if (/^(?:ok|error)\b/.test(line)) return { lines, end: line };
      lines.push(line);
    }
  }

  /** As {@link ask}; rejects unless the answer is "ok". */
  async must(request: string): Promise<Answer> {
    const answer = await this.ask(request);
    if (!answer.end.startsWith('ok')) throw new Error(`${request.slice(0, 100)}: ${answer.end}\n${this.#stderr}`);
    return answer;
  }

  end(): void {
    killGroup(this.child);
  }
}
