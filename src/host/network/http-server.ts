// An HTTP server for short responses, at one address and port.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import { type ListenAddress, listen } from './listen.ts';

export interface HttpRequest {
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpServerOptions extends ListenAddress {
  /** Must not throw or reject. */
  readonly respond: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
  /** Further connections are closed: they would use up the file descriptors of the daemon. */
  readonly maxConnections: number;
  /** How long an idle connection stays open. */
  readonly keepAliveMs?: number;
}

/** A request is one line and a few headers. */
const REQUEST_TIMEOUT_MS = 10_000;
/** The default of Node.js. */
const KEEP_ALIVE_MS = 5_000;

/** Responds to any method. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  #isClosed = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { respond, maxConnections, keepAliveMs = KEEP_ALIVE_MS } = options;
    const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: REQUEST_TIMEOUT_MS };
    this.#server = createServer({ ...timeouts, keepAliveTimeout: keepAliveMs }, async (request, response) => {
      const { status, headers, body } = await respond(readRequest(request));
      response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
    });
    this.#server.maxConnections = maxConnections;
  }

  /** The port on which it listens; `undefined` while it does not. */
  get port(): number | undefined {
    const address = this.#server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  /** Resolves when the server listens or is closed. Rejects with a `ListenError`; the call can then be repeated. */
  async open(): Promise<void> {
    await listen(this.#server, this.#options);
    // Later errors concern single connections, such as one beyond the limit of file descriptors.
    this.#server.on('error', () => {});
    if (this.#isClosed) this.#server.close();
  }

  /** Closes all connections. The port is free when this returns. */
  close(): void {
    this.#isClosed = true;
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function readRequest({ url = '', headers }: IncomingMessage): HttpRequest {
  const [path = '', query] = url.split('?', 2);
  return { path, query: new URLSearchParams(query), headers };
}
