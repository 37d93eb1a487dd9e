// A process with a line protocol on its standard input and output.

import { createInterface } from 'node:readline';
import { killGroup, type PipedChild } from '../netns/process.ts';

export interface Response {
  /** Data lines. */
  readonly lines: readonly string[];
  /** The last line. */
  readonly status: string;
}

export class LineProcess {
  readonly child: PipedChild;
  readonly #pending: ((line: string | undefined) => void)[] = [];
  readonly #unread: string[] = [];
  #stderr = '';
  #ended = false;

  constructor(child: PipedChild) {
    this.child = child;
    createInterface({ input: child.stdout })
      .on('line', (line) => {
        const waiting = this.#pending.shift();
        if (waiting === undefined) this.#unread.push(line);
        else waiting(line);
      })
      .on('close', () => {
        this.#ended = true;
        for (const waiting of this.#pending.splice(0)) waiting(undefined);
      });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  send(lines: string): void {
    this.child.stdin.write(`${lines}\n`);
  }

  /** The next line. Rejects after the process has exited. */
  async readLine(): Promise<string> {
    const line =
      this.#unread.shift() ??
      (this.#ended ? undefined : await new Promise<string | undefined>((resolve) => this.#pending.push(resolve)));
    if (line === undefined) throw new Error(`Cannot read a line: the process exited: ${this.#stderr}`);
    return line;
  }

  /** Sends a request and reads its answer, up to a line that begins with "ok" or "error". */
  async request(request: string): Promise<Response> {
    this.send(request);
    const lines: string[] = [];
    for (;;) {
      const line = await this.readLine();
      if (/^(?:ok|error)\b/.test(line)) return { lines, status: line };
      lines.push(line);
    }
  }

  /** As {@link request}; rejects unless the answer is "ok". */
  async requestOk(request: string): Promise<Response> {
    const answer = await this.request(request);
    if (!answer.status.startsWith('ok'))
      throw new Error(`Cannot do "${request.slice(0, 100)}": ${answer.status}\n${this.#stderr}`);
    return answer;
  }

  kill(): void {
    killGroup(this.child);
  }
}

/** The words "KEY=VALUE" of a status line. */
export function parseFields(status: string): Record<string, string> {
  const pairs = status.split(' ').map((word) => word.split('='));
  return Object.fromEntries(pairs.filter(({ length }) => length === 2));
}
