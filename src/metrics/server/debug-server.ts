// The HTTP server for scrapers and debuggers, which nothing depends on: it may fail to listen, and tries again.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { ListenError, listen } from '../../host/network/listen.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { untilAborted } from '../../lib/until-aborted.ts';
import { type AddressPort, printAddressPort } from '../../net/address-port.ts';

export interface PageResponse {
  /** 200 when absent. */
  readonly status?: number;
  readonly type: string;
  readonly body: string;
}

export interface PageRequest {
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export type PageHandler = (question: PageRequest) => PageResponse | Promise<PageResponse>;

/** Pages by their exact path. */
export type Pages = Readonly<Record<string, PageHandler>>;

export interface DebugServerParts {
  readonly address: AddressPort;
  readonly pages: Pages;
  /** Where it cannot listen it gives up, instead of trying again and again. */
  readonly hardFail: boolean;
  readonly log: Log;
  readonly clock: Clock;
}

export const TEXT_PLAIN = 'text/plain; charset=utf-8';

const RETRY_MS = 5_000;
/** One scraper and a few people. */
const MAX_CONNECTIONS = 50;

/** The server of metrics cannot listen, and had to. */
export class MetricsListenError extends ListenError {}

/** Answers any method; other paths get 404. */
export class DebugServer {
  readonly #parts: DebugServerParts;
  readonly #server: Server;

  constructor(parts: DebugServerParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => {
      const { headers, url = '/' } = request;
      void this.#respond(url, headers).then(({ status = 200, type, body }) => {
        const baseHeaders = { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' };
        response.writeHead(status, { ...baseHeaders, 'Content-Length': Buffer.byteLength(body) }).end(body);
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.requestTimeout = 10_000;
  }

  /** Where it listens; `undefined` while it does not. */
  get port(): number | undefined {
    const address = this.#server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  /**
   * Serves until the signal aborts. While it cannot listen it says so once, and tries again every five seconds; with
   * `hardFail` it rejects with {@link MetricsListenError}.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#listen(signal);
    this.#server.on('error', () => {});
    await untilAborted(signal);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { address, clock, hardFail, log } = this.#parts;
    let loggedFailure = '';
    while (!signal.aborted) {
      try {
        await listen(this.#server, { ...address, ipv6Only: false });
        if (loggedFailure !== '') log.info('metrics are served now', { address: printAddressPort(address) });
        return;
      } catch (error) {
        const reason = errorMessage(error);
        if (hardFail) throw new MetricsListenError(reason, { cause: error });
        if (reason !== loggedFailure) log.error('metrics cannot be served', { reason, retryInMs: RETRY_MS });
        loggedFailure = reason;
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  async #respond(url: string, headers: IncomingHttpHeaders): Promise<PageResponse> {
    const [path = '', query = ''] = url.split('?', 2);
    const page = Object.hasOwn(this.#parts.pages, path) ? this.#parts.pages[path] : undefined;
    if (page === undefined) return { status: 404, type: TEXT_PLAIN, body: '404 page not found\n' };
    try {
      return await page({ query: new URLSearchParams(query), headers });
    } catch (error) {
      const reason = errorMessage(error);
      this.#parts.log.error('a page cannot be served', { path, reason });
      return { status: 500, type: TEXT_PLAIN, body: `${reason}\n` };
    }
  }
}
