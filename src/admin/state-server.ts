// Answers requests at the admin socket. Slow and idle clients cost neither memory nor connections for long.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { stateText } from './state/state-text.ts';

export interface StateServerOptions {
  /** The state, or the part that the path of a request asks for. The answer is cut in pieces. */
  readonly state: (path: string) => object;
  readonly limits?: Partial<StateServerLimits>;
  /** What a POST request to a path does. Its result is the answer. */
  readonly commands?: Readonly<Record<string, () => object>>;
}

interface StateServerLimits {
  /** Clients that receive a state at the same time; further ones are rejected as long as these keep reading. */
  readonly readers: number;
  /** Connections without a request; the oldest is closed for a new one. */
  readonly idleConnections: number;
  /** How long a connection may neither send nor receive. */
  readonly idleMs: number;
  /** How long a response may take. */
  readonly responseMs: number;
  /** A reader that has not read for this time makes way for another one. */
  readonly stalledMs: number;
}

/** Operators and scripts of one node. A connection takes about 300 kB in the kernel while its client does not read. */
const LIMITS: StateServerLimits = {
  readers: 8,
  idleConnections: 32,
  idleMs: 3_000,
  responseMs: 30_000,
  stalledMs: 250,
};

/** A request is one line and a few headers. */
const MAX_HEADER_BYTES = 4 * 1024;

/** One HTTP server. A GET request answers with the state. */
export class StateServer {
  readonly server: Server;
  readonly #options: StateServerOptions;
  readonly #limits: StateServerLimits;
  /** Connections without a request, the oldest first. */
  readonly #idle = new Set<Socket>();
  /** Responses that are being sent, and since when their client has not read; `undefined` while it reads. */
  readonly #responses = new Map<ServerResponse, number | undefined>();

  constructor(options: StateServerOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    const { idleMs } = this.#limits;
    const timeouts = { requestTimeout: idleMs, headersTimeout: idleMs, connectionsCheckingInterval: idleMs };
    this.server = createServer({ ...timeouts, maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
      void this.#respond(request, response);
    });
    this.server.timeout = idleMs;
    this.server.on('connection', (socket) => this.#admit(socket));
  }

  /** Closes all connections. */
  close(): void {
    this.server.close();
    this.server.closeAllConnections();
    // The requests that are being read are not known to the HTTP server yet.
    for (const socket of this.#idle) socket.destroy();
  }

  #admit(socket: Socket): void {
    this.#idle.add(socket);
    socket.once('close', () => this.#idle.delete(socket));
    // Later errors of a connection that is closed here do not matter.
    socket.on('error', () => {});
    const [oldest] = this.#idle;
    if (this.#idle.size > this.#limits.idleConnections) oldest?.destroy();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#idle.delete(request.socket);
    // One request for each connection: an idle one would have to be closed anyway.
    response.setHeader('connection', 'close');
    response.setHeader('content-type', 'application/json');
    request.resume();
    if (request.method === 'POST') return this.#command(request.url ?? '', response);
    if (!this.#makeRoom()) {
      response.statusCode = 503;
      response.end(JSON.stringify({ message: `busy: ${this.#responses.size} other commands are reading` }));
      return;
    }
    this.#responses.set(response, undefined);
    const timer = setTimeout(() => response.destroy(), this.#limits.responseMs).unref();
    response.once('close', () => {
      clearTimeout(timer);
      this.#responses.delete(response);
    });
    await this.#send(request.url ?? '', response).catch(() => response.destroy());
  }

  #command(path: string, response: ServerResponse): void {
    const command = this.#options.commands?.[path];
    if (command === undefined) response.statusCode = 404;
    response.end(JSON.stringify(command === undefined ? { message: `no such command: ${path}` } : command()));
  }

  /** Whether another response can be sent, if need be instead of the one that has been stalled longest. */
  #makeRoom(): boolean {
    if (this.#responses.size < this.#limits.readers) return true;
    const stalled = [...this.#responses].flatMap(([response, since]) =>
      since === undefined ? [] : [{ response, since }],
    );
    const [worst] = stalled.sort((a, b) => a.since - b.since);
    if (worst === undefined || performance.now() - worst.since < this.#limits.stalledMs) return false;
    this.#responses.delete(worst.response);
    worst.response.destroy();
    return true;
  }

  async #send(path: string, response: ServerResponse): Promise<void> {
    for (const piece of stateText(this.#options.state(path))) {
      if (response.destroyed) return;
      if (response.write(piece)) await new Promise((resolve) => setImmediate(resolve));
      else await this.#drained(response);
    }
    response.end();
  }

  async #drained(response: ServerResponse): Promise<void> {
    this.#responses.set(response, performance.now());
    await new Promise<void>((resolve) => {
      const done = (): void => {
        response.off('drain', done).off('close', done);
        resolve();
      };
      response.once('drain', done).once('close', done);
    });
    this.#responses.set(response, undefined);
  }
}
