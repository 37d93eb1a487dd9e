// An HTTP server for short responses, at one address and port.

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionGuard } from './connection-guard.ts';
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
  /** Bounds its connections: they use file descriptors and memory of the daemon. */
  readonly guard: ConnectionGuard;
  /** How long an idle connection stays open. */
  readonly keepAliveMs?: number;
}

/** A request is one line and a few headers: longer or slower ones are cut. */
const REQUEST_LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
};
/** From a request to the end of its response: a client that does not read it must not keep it in memory. */
const RESPONSE_TIMEOUT_MS = 10_000;
/** No request needs a body. A short one is read, so that the connection can be used again. */
const MAX_BODY_BYTES = 8 * 1024;
/** The default of Node.js. */
const KEEP_ALIVE_MS = 5_000;

/** Responds to any method. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  /** Connections with a request that came before the response to the one before it. */
  readonly #early = new WeakSet<Socket>();
  #isClosed = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { guard, keepAliveMs = KEEP_ALIVE_MS } = options;
    const handle = (request: IncomingMessage, response: ServerResponse) => void this.#handle(request, response);
    this.#server = createServer({ ...REQUEST_LIMITS, keepAliveTimeout: keepAliveMs }, handle)
      // The default asks for the body.
      .on('checkContinue', handle)
      .on('connection', (socket) => guard.admit(socket));
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

  /** One request of a connection at a time: responses to others would collect in memory. */
  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { guard, respond } = this.#options;
    const { socket } = request;
    if (!guard.begin(socket)) return void this.#early.add(socket.pause());
    const cut = setTimeout(() => socket.destroy(), RESPONSE_TIMEOUT_MS);
    response.once('close', () => {
      clearTimeout(cut);
      guard.end(socket);
      // An early request stays without a response.
      if (this.#early.has(socket) || hasLongBody(request)) socket.destroySoon();
    });
    const { status, headers, body } = await respond(readRequest(request));
    response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
  }
}

function hasLongBody({ headers }: IncomingMessage): boolean {
  return 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES;
}

function readRequest({ url = '', headers }: IncomingMessage): HttpRequest {
  const [path = '', query] = url.split('?', 2);
  return { path, query: new URLSearchParams(query), headers };
}
