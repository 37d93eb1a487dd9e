// The HTTP server for scrapers and debuggers, which nothing depends on: it may fail to listen, and tries again.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type BindAddress, printBindAddress } from '../net/bind-address.ts';
import type { Clock } from '../sys/clock.ts';
import type { Log } from '../sys/log.ts';

export interface Answer {
  /** 200 when absent. */
  readonly status?: number;
  readonly type: string;
  readonly body: string;
}

export interface Question {
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export type Page = (question: Question) => Answer | Promise<Answer>;

/** Pages by their exact path. */
export type Pages = Readonly<Record<string, Page>>;

export interface DebugServerParts {
  readonly address: BindAddress;
  readonly pages: Pages;
  /** Where it cannot listen it gives up, instead of trying again and again. */
  readonly hardFail: boolean;
  readonly log: Log;
  readonly clock: Clock;
}

/** It cannot listen, and must. The message says where, and why. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

export const PLAIN = 'text/plain; charset=utf-8';

const RETRY_MS = 5_000;
/** One scraper and a few people. */
const MOST_CONNECTIONS = 50;

/** Answers any method; other paths get 404. */
export class DebugServer {
  readonly #parts: DebugServerParts;
  readonly #server: Server;

  constructor(parts: DebugServerParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => {
      const { headers, url = '/' } = request;
      void this.#answer(url, headers).then(({ status = 200, type, body }) => {
        const fixed = { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' };
        response.writeHead(status, { ...fixed, 'Content-Length': Buffer.byteLength(body) }).end(body);
      });
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.requestTimeout = 10_000;
  }

  /** Where it listens; `undefined` while it does not. */
  get port(): number | undefined {
    const address = this.#server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  /**
   * Serves until the signal aborts. While it cannot listen it says so once, and tries again every five seconds; with
   * `hardFail` it rejects with a {@link ListenError}.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { address, clock, hardFail, log } = this.#parts;
    const at = printBindAddress(address);
    let told = '';
    while (!signal.aborted) {
      const reason = await this.#listen();
      if (reason === undefined) break;
      if (hardFail) throw new ListenError(`Cannot serve metrics at ${at}: ${reason}`);
      const details = { address: at, reason, retryInMs: RETRY_MS };
      if (reason !== told) log.error('metrics cannot be served', details);
      told = reason;
      await clock.sleep(RETRY_MS, signal);
    }
    if (told !== '' && !signal.aborted) log.info('metrics are served now', { address: at });
    this.#server.on('error', () => {});
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Why it cannot listen; `undefined` when it does. */
  #listen(): Promise<string | undefined> {
    const { host, port } = this.#parts.address;
    return new Promise((resolve) => {
      const fail = (error: Error) => resolve(error.message);
      this.#server.once('error', fail);
      this.#server.listen({ host, port, ipv6Only: false }, () => {
        this.#server.off('error', fail);
        resolve(undefined);
      });
    });
  }

  async #answer(url: string, headers: IncomingHttpHeaders): Promise<Answer> {
    const [path = '', query = ''] = url.split('?', 2);
    const page = Object.hasOwn(this.#parts.pages, path) ? this.#parts.pages[path] : undefined;
    if (page === undefined) return { status: 404, type: PLAIN, body: '404 page not found\n' };
    try {
      return await page({ query: new URLSearchParams(query), headers });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.log.error('a page cannot be served', { path, reason });
      return { status: 500, type: PLAIN, body: `${reason}\n` };
    }
  }
}
