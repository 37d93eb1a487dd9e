// One HTTP server at one address and port that gives short answers.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type ListenAddress, listen } from './listen.ts';

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpServerOptions extends ListenAddress {
  /** Gives the answer to a request for this path, which has no query. Must not throw. */
  readonly respond: (path: string) => HttpResponse;
}

/**
 * Load balancers ask from a handful of places. More connections than this at a time are somebody who wants to use up the
 * daemon's file descriptors, and are closed at once.
 */
const MAX_CONNECTIONS = 200;
/** A request is one line and a few headers. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Longer than the pauses between two checks, so that a connection is not closed while the next request is on its way. */
const KEEP_ALIVE_MS = 65_000;

export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  #closed = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS };
    this.#server = createServer(
      { ...timeouts, connectionsCheckingInterval: REQUEST_TIMEOUT_MS },
      (request, response) => {
        const { status, headers, body } = options.respond(pathOf(request));
        response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
      },
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves when it listens, or was closed meanwhile. Rejects with a `ListenError`; it can be tried again then. */
  async open(): Promise<void> {
    await listen(this.#server, this.#options);
    // From here on errors are those of single connections, such as one too many for the process.
    this.#server.on('error', () => {});
    if (this.#closed) this.#server.close();
  }

  /** The port is free when this returns, and connections are cut. */
  close(): void {
    this.#closed = true;
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}
