// Runs the loader, nftlane-bpf, as a child process with a line protocol.

import { LineProcess, type ProcessExit } from '../../host/process/line-process.ts';
import { SCHEMA } from '../maps/layout.ts';

interface LoaderResponse {
  /** Data lines. */
  readonly lines: readonly string[];
  /** The fields of the final line, by name. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The loader failed to start, exited, timed out, or refused a request. */
export class LoaderError extends Error {
  override readonly name = 'LoaderError';
  /** Name of an errno if the loader refused a request, `EPROTO` for another version, `EXITED` otherwise. */
  readonly code: string;

  constructor(message: string, { code, cause }: { code: string; cause?: unknown }) {
    super(message, { cause });
    this.code = code;
  }
}

/** Version of the line protocol that this client supports. */
const PROTOCOL = '2';

interface LoaderInstance {
  readonly child: LineProcess;
  /** Unanswered requests, in order. */
  readonly pending: { readonly lines: string[]; readonly done: (end: string | LoaderError) => void }[];
}

/** Started by the first request, and again by the next request after it exited. Pinned programs and maps outlive it. */
export class LoaderProcess {
  readonly #command: string;
  readonly #directory: string;
  readonly #timeoutMs: number;
  #instance: LoaderInstance | undefined;
  #starts = 0;

  constructor(options: { readonly command: string; readonly directory: string; readonly timeoutMs?: number }) {
    this.#command = options.command;
    this.#directory = options.directory;
    this.#timeoutMs = options.timeoutMs ?? 20_000;
  }

  get isRunning(): boolean {
    return this.#instance !== undefined;
  }

  /** Starts after the first. */
  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** Sends one request: a line, or the lines of a batch. Rejects with {@link LoaderError}. */
  async request(...commandLines: readonly string[]): Promise<LoaderResponse> {
    const [first = ''] = commandLines;
    const instance = this.#instance ?? (await this.#start());
    const timer = setTimeout(() => instance.child.kill('SIGKILL'), this.#timeoutMs);
    const lines: string[] = [];
    const end = await new Promise<string | LoaderError>((done) => {
      instance.pending.push({ lines, done });
      instance.child.write(`${commandLines.join('\n')}\n`);
    });
    clearTimeout(timer);
    if (typeof end !== 'string') throw end;
    const [status = '', code = '', ...rest] = end.split(' ');
    if (status === 'ok') return { lines, fields: parseFields(end) };
    throw new LoaderError(`Cannot run loader request "${first.slice(0, 60)}": ${code} ${rest.join(' ')}`, {
      code,
    });
  }

  /** Ends the process. Programs, maps and links stay pinned. */
  close(): void {
    this.#instance?.child.closeInput();
    this.#instance = undefined;
  }

  async #start(): Promise<LoaderInstance> {
    this.#starts++;
    const pending: LoaderInstance['pending'] = [];
    const instance: LoaderInstance = {
      pending,
      child: new LineProcess(this.#command, {
        args: [this.#directory],
        onLine: (line) => {
          if (/^(?:ok|error)(?: |$)/.test(line)) pending.shift()?.done(line);
          else pending[0]?.lines.push(line);
        },
        onExit: (exit) => this.#onExit(instance, exit),
      }),
    };
    this.#instance = instance;
    const { fields } = await this.request('hello');
    if (fields['protocol'] === PROTOCOL && fields['schema'] === String(SCHEMA)) return instance;
    this.close();
    const state = `it has protocol ${fields['protocol']} and schema ${fields['schema']}, not ${PROTOCOL} and ${SCHEMA}`;
    throw new LoaderError(`Cannot use loader "${this.#command}": ${state}`, { code: 'EPROTO' });
  }

  #onExit(instance: LoaderInstance, exit: ProcessExit): void {
    if (this.#instance === instance) this.#instance = undefined;
    const error = this.#exitError(exit);
    for (const { done } of instance.pending.splice(0)) done(error);
  }

  #exitError(exit: ProcessExit): LoaderError {
    if (exit.kind === 'exited')
      return new LoaderError(`Cannot use loader "${this.#command}": exited: ${exit.state} ${exit.stderr}`, {
        code: 'EXITED',
      });
    const { cause } = exit;
    const state = cause.code === 'ENOENT' ? 'no such program' : cause.message;
    const message = `Cannot run loader "${this.#command}": ${state}`;
    return new LoaderError(message, { code: 'EXITED', cause });
  }
}

function parseFields(line: string): Record<string, string> {
  const pairs = line
    .split(' ')
    .slice(1)
    .map((word) => word.split('='));
  return Object.fromEntries(pairs.map(([name = '', ...value]) => [name, value.join('=')]));
}
