// The server that says how the daemon is: /healthz for load balancers, /livez for the kubelet.

import type { Log } from '../host/log.ts';
import { type HttpResponse, HttpServer } from '../host/network/http-server.ts';
import { errorMessage } from '../lib/error-message.ts';
import { type AddressPort, printAddressPort } from '../net/address-port.ts';
import { type HealthPath, type ProxyHealthState, proxyHealthResponse } from './proxy-health-response.ts';

export interface ProxyHealthServerOptions {
  readonly address: AddressPort;
  readonly state: () => ProxyHealthState;
  /** Told of each answer, for counters. */
  readonly onResponse?: ((path: HealthPath, status: number) => void) | undefined;
  /** Where it cannot listen, `open` rejects, instead of trying again and again. */
  readonly hardFail: boolean;
  /** The pause before it tries again. */
  readonly retryMs?: number;
  readonly log: Log;
}

const RETRY_MS = 5_000;
const NOT_FOUND: HttpResponse = {
  status: 404,
  headers: { 'Content-Type': 'text/plain' },
  body: '404 page not found\n',
};

/** Answers from `open` to `close`, also while nothing is known yet. */
export class ProxyHealthServer {
  readonly #options: ProxyHealthServerOptions;
  readonly #listener: HttpServer;
  #timer: NodeJS.Timeout | undefined;
  /** The failure that was told last: the same one is not told again. */
  #loggedFailure = '';
  #closed = false;

  constructor(options: ProxyHealthServerOptions) {
    this.#options = options;
    this.#listener = new HttpServer({ ...options.address, ipv6Only: false, respond: (path) => this.#respond(path) });
  }

  /** Resolves after the first attempt. Rejects with a `ListenError` only when the server must listen and cannot. */
  async open(): Promise<void> {
    const { address, hardFail, retryMs = RETRY_MS, log } = this.#options;
    try {
      await this.#listener.open();
      if (this.#loggedFailure !== '') log.info('health is answered after all', { address: printAddressPort(address) });
    } catch (error) {
      if (hardFail) throw error;
      if (this.#closed) return;
      const reason = errorMessage(error);
      if (reason !== this.#loggedFailure) log.error('health is not answered', { reason, retryInMs: retryMs });
      this.#loggedFailure = reason;
      this.#timer = setTimeout(() => void this.open(), retryMs);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listener.close();
  }

  #respond(path: string): HttpResponse {
    if (path !== '/healthz' && path !== '/livez') return NOT_FOUND;
    const response = proxyHealthResponse(path, this.#options.state());
    this.#options.onResponse?.(path, response.status);
    return response;
  }
}
