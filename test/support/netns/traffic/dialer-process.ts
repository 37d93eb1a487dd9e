// Runs the dialer program in a namespace and sends commands to it.

import { fileURLToPath } from 'node:url';
import type { Namespace } from '../namespace.ts';
import type { PipedChild } from '../process.ts';
import { outputLines } from '../program-output.ts';
import type {
  DialerCommand,
  DialerReply,
  DialRateRequest,
  DialReport,
  DialRequest,
  KeepConnectionRequest,
} from './programs/messages.ts';

/** Connections that are made in the background. */
export interface RunningDial {
  /** Makes another attempt and returns the report so far. */
  snapshot(): Promise<DialReport>;
  /** Waits for pending attempts and returns the complete report. */
  stop(): Promise<DialReport>;
}

const PROGRAM = fileURLToPath(new URL('./programs/dialer.ts', import.meta.url));

/** Resolves when the program accepts commands. */
export async function startDialer(namespace: Namespace): Promise<Dialer> {
  const child = namespace.spawn(process.execPath, [PROGRAM]);
  const lines = outputLines(child, 'dialer');
  await lines.next();
  return new Dialer(child, lines);
}

export class Dialer {
  readonly #child: PipedChild;
  readonly #pending = new Map<number, PromiseWithResolvers<DialReport>>();
  #lastId = 0;
  #ended: unknown;

  constructor(child: PipedChild, lines: AsyncIterable<string>) {
    this.#child = child;
    this.#listen(lines).catch((error: unknown) => this.#fail(error));
  }

  /** Makes `count` connections, each with its own socket, and resolves when all have an outcome. */
  dial(request: DialRequest): Promise<DialReport> {
    return this.#send((id) => ({ id, kind: 'dial', request }));
  }

  /** Makes new connections at a constant rate. Resolves after the first outcome. */
  dialAtRate(request: DialRateRequest): Promise<RunningDial> {
    return this.#start((id) => ({ id, kind: 'dial-at-rate', request }));
  }

  /** Sends requests repeatedly over one connection or UDP flow. Resolves after the first outcome. */
  keepConnection(request: KeepConnectionRequest): Promise<RunningDial> {
    return this.#start((id) => ({ id, kind: 'keep-connection', request }));
  }

  async #start(command: (id: number) => DialerCommand): Promise<RunningDial> {
    let task = 0;
    await this.#send((id) => {
      task = id;
      return command(id);
    });
    return {
      snapshot: () => this.#send((id) => ({ id, kind: 'snapshot', task })),
      stop: () => this.#send((id) => ({ id, kind: 'stop', task })),
    };
  }

  #send(command: (id: number) => DialerCommand): Promise<DialReport> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const report = Promise.withResolvers<DialReport>();
    this.#pending.set(id, report);
    this.#child.stdin.write(`${JSON.stringify(command(id))}\n`);
    return report.promise;
  }

  async #listen(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      const { id, report, failure }: DialerReply = JSON.parse(line);
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (report) waiting?.resolve(report);
      else waiting?.reject(new Error(failure));
    }
  }

  #fail(error: unknown): void {
    this.#ended = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
