// The program that loads, attaches and fills the fast path's programs, as a process that is spoken to by lines.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface Answer {
  /** Data lines. */
  readonly lines: readonly string[];
  /** The words of the last line, by name. */
  readonly words: Readonly<Record<string, string>>;
}

/** The loader cannot be run, has ended, takes too long, or says that something cannot be done. */
export class LoaderError extends Error {
  override readonly name = 'LoaderError';
  /** That of an errno where the loader has refused; `lost` where it did not say. */
  readonly code: string;

  constructor(message: string, { code, cause }: { code: string; cause?: unknown }) {
    super(message, { cause });
    this.code = code;
  }
}

/** What this side speaks. */
const PROTOCOL = '2';
const SCHEMA = '1';

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Requests without an answer yet, in their order. */
  readonly waiting: { readonly lines: string[]; readonly done: (end: string | LoaderError) => void }[];
}

/** Starts when something is asked, and again after its end. What is pinned does not depend on it. */
export class LoaderProcess {
  readonly #command: string;
  readonly #directory: string;
  readonly #timeoutMs: number;
  #running: Running | undefined;
  #stderr = '';
  #starts = 0;

  constructor(of: { readonly command: string; readonly directory: string; readonly timeoutMs?: number }) {
    this.#command = of.command;
    this.#directory = of.directory;
    this.#timeoutMs = of.timeoutMs ?? 20_000;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** How often it was started again after its end. */
  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** One request: a line, or the lines of a batch. Rejects with {@link LoaderError}. */
  async ask(...request: readonly string[]): Promise<Answer> {
    const [first = ''] = request;
    const running = this.#running ?? (await this.#start());
    const timer = setTimeout(() => running.child.kill('SIGKILL'), this.#timeoutMs);
    const lines: string[] = [];
    const end = await new Promise<string | LoaderError>((done) => {
      running.waiting.push({ lines, done });
      running.child.stdin.write(`${request.join('\n')}\n`);
    });
    clearTimeout(timer);
    if (typeof end !== 'string') throw end;
    const [verdict = '', code = '', ...rest] = end.split(' ');
    if (verdict === 'ok') return { lines, words: wordsOf(end) };
    throw new LoaderError(`The fast path's loader cannot do "${first.slice(0, 60)}": ${code} ${rest.join(' ')}`, {
      code,
    });
  }

  /** Ends the process; what it has made stays. */
  close(): void {
    this.#running?.child.stdin.end();
    this.#running = undefined;
  }

  async #start(): Promise<Running> {
    this.#starts++;
    const child = spawn(this.#command, [this.#directory], { stdio: 'pipe' });
    const running: Running = { child, waiting: [] };
    this.#running = running;
    this.#stderr = '';
    child.stdin.on('error', () => {});
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const state = cause.code === 'ENOENT' ? 'there is no such program' : cause.message;
      this.#lost(running, `Cannot run the fast path's loader "${this.#command}": ${state}`, cause);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2000);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [request] = running.waiting;
      if (/^(?:ok|error)(?: |$)/.test(line)) running.waiting.shift()?.done(line);
      else request?.lines.push(line);
    });
    child.on('close', (status, signal) =>
      this.#lost(running, `The fast path's loader ended: ${signal ?? `status ${status}`} ${this.#stderr.trim()}`),
    );
    const { words } = await this.ask('hello');
    if (words['protocol'] === PROTOCOL && words['schema'] === SCHEMA) return running;
    this.close();
    const spoken = `protocol ${words['protocol']}, schema ${words['schema']}`;
    throw new LoaderError(`"${this.#command}" is another version: ${spoken}`, { code: 'EPROTO' });
  }

  #lost(running: Running, message: string, cause?: unknown): void {
    if (this.#running === running) this.#running = undefined;
    for (const { done } of running.waiting.splice(0)) done(new LoaderError(message, { code: 'lost', cause }));
  }
}

function wordsOf(line: string): Record<string, string> {
  const pairs = line
    .split(' ')
    .slice(1)
    .map((word) => word.split('='));
  return Object.fromEntries(pairs.map(([name = '', ...value]) => [name, value.join('=')]));
}
