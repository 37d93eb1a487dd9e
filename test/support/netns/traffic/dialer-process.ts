// Runs the dialer program in a namespace and talks to it.
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../namespace.ts';
import type { PipedChild } from '../process.ts';
import { outputLines } from '../program-output.ts';
import type { DialRequest, HoldRequest, KeepRequest, Order, Reply, Report } from './traffic.ts';

/** Dialling under way in the background. */
export interface Dialling {
  /** Asks once more and returns the report so far. */
  look(): Promise<Report>;
  /** Waits for what is under way and returns the whole report. */
  stop(): Promise<Report>;
}

const PROGRAM = fileURLToPath(new URL('./dialer.ts', import.meta.url));

/** Resolves when the program takes orders. */
export async function startDialer(namespace: Namespace): Promise<Dialer> {
  const child = namespace.spawn(process.execPath, [PROGRAM]);
  const lines = outputLines(child, 'dialer');
  await lines.next();
  return new Dialer(child, lines);
}

export class Dialer {
  readonly #child: PipedChild;
  readonly #waiting = new Map<number, PromiseWithResolvers<Report>>();
  #lastId = 0;
  #ended: unknown;

  constructor(child: PipedChild, lines: AsyncIterable<string>) {
    this.#child = child;
    this.#listen(lines).catch((error: unknown) => this.#end(error));
  }

  /** Makes `count` connections, each with a socket of its own, and resolves when all have an outcome. */
  dial(request: DialRequest): Promise<Report> {
    return this.#order((id) => ({ id, kind: 'dial', request }));
  }

  /** Makes new connections at a rate. Resolves after the first outcome. */
  hold(request: HoldRequest): Promise<Dialling> {
    return this.#begin((id) => ({ id, kind: 'hold', request }));
  }

  /** Keeps one connection, or one UDP flow, and asks through it again and again. Resolves after the first outcome. */
  keep(request: KeepRequest): Promise<Dialling> {
    return this.#begin((id) => ({ id, kind: 'keep', request }));
  }

  async #begin(order: (id: number) => Order): Promise<Dialling> {
    let task = 0;
    await this.#order((id) => {
      task = id;
      return order(id);
    });
    return {
      look: () => this.#order((id) => ({ id, kind: 'look', task })),
      stop: () => this.#order((id) => ({ id, kind: 'stop', task })),
    };
  }

  #order(order: (id: number) => Order): Promise<Report> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const report = Promise.withResolvers<Report>();
    this.#waiting.set(id, report);
    this.#child.stdin.write(`${JSON.stringify(order(id))}\n`);
    return report.promise;
  }

  async #listen(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      const { id, report, failure }: Reply = JSON.parse(line);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (report) waiting?.resolve(report);
      else waiting?.reject(new Error(failure));
    }
  }

  #end(error: unknown): void {
    this.#ended = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
