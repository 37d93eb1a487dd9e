// One HTTP server at one address and port that gives short answers.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type BindAddress, printBindAddress } from '../net/bind-address.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpListenerOptions extends BindAddress {
  /** `::` takes connections of IPv4 as well, unless this is set. */
  readonly ipv6Only: boolean;
  /** Gives the answer to a request for this path, which has no query. Must not throw. */
  readonly answer: (path: string) => Answer;
}

/** It cannot listen. The message says where, and why. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
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

export class HttpListener {
  readonly #options: HttpListenerOptions;
  readonly #server: Server;
  #closed = false;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS };
    this.#server = createServer(
      { ...timeouts, connectionsCheckingInterval: REQUEST_TIMEOUT_MS },
      (request, response) => {
        const { status, headers, body } = options.answer(pathOf(request));
        response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
      },
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves when it listens, or was closed meanwhile. Rejects with {@link ListenError}; it can be tried again then. */
  open(): Promise<void> {
    const { host, port, ipv6Only } = this.#options;
    const server = this.#server;
    return new Promise((resolve, reject) => {
      const fail = (cause: NodeJS.ErrnoException): void =>
        reject(new ListenError(`Cannot listen at ${printBindAddress({ host, port })}: ${reasonOf(cause)}`, { cause }));
      server.once('error', fail);
      // Closed meanwhile, it will never say that it listens.
      server.once('close', resolve);
      server.listen({ host, port, ipv6Only }, () => {
        server.off('error', fail);
        // From here on errors are those of single connections, such as one too many for the process.
        server.on('error', () => {});
        if (this.#closed) server.close();
        resolve();
      });
    });
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

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there',
  EADDRNOTAVAIL: 'no interface of this node has this address',
  EAFNOSUPPORT: 'this node has no IPv6',
  EACCES: 'this process is not allowed to',
};

function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? message;
}
