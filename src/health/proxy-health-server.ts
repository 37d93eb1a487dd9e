// The health server: /healthz for load balancers, /livez for the kubelet.

import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { ConnectionGuard } from '../host/network/connection-guard.ts';
import type { Evictions } from '../host/network/evictions.ts';
import type { HttpResponse } from '../host/network/http-server.ts';
import { RetryingHttpServer } from '../host/network/retrying-http-server.ts';
import type { AddressPort } from '../net/address-port.ts';
import { HEALTH_LIMITS, KEEP_ALIVE_MS } from './connection-limits.ts';
import { type HealthPath, type ProxyHealthState, proxyHealthResponse } from './proxy-health-response.ts';

export interface ProxyHealthServerOptions {
  readonly address: AddressPort;
  readonly state: () => ProxyHealthState;
  /** Called for each response. */
  readonly onResponse?: ((path: HealthPath, status: number) => void) | undefined;
  /** Whether `open` rejects if the server cannot listen, instead of retrying. */
  readonly hardFail: boolean;
  readonly retryMs?: number;
  readonly evictions: Evictions;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: Log;
}

const NOT_FOUND: HttpResponse = {
  status: 404,
  headers: { 'Content-Type': 'text/plain' },
  body: '404 page not found\n',
};

/** Serves from `open` to `close`, also before the first sync. */
export class ProxyHealthServer {
  readonly #options: ProxyHealthServerOptions;
  readonly #server: RetryingHttpServer;

  constructor(options: ProxyHealthServerOptions) {
    const { address, hardFail, retryMs, evictions, clock, log } = options;
    const onEvict = (source: string) => evictions.add('health', source);
    this.#options = options;
    this.#server = new RetryingHttpServer({
      ...address,
      guard: new ConnectionGuard({ ...HEALTH_LIMITS, onEvict }),
      keepAliveMs: KEEP_ALIVE_MS,
      bothFamilies: true,
      name: 'health',
      respond: ({ path }) => this.#respond(path),
      hardFail,
      retryMs,
      clock,
      log,
    });
  }

  /** Resolves after the first attempt. Rejects with a `ListenError` only with `hardFail`. */
  open(): Promise<void> {
    return this.#server.open();
  }

  close(): void {
    this.#server.close();
  }

  #respond(path: string): HttpResponse {
    if (path !== '/healthz' && path !== '/livez') return NOT_FOUND;
    const response = proxyHealthResponse(path, this.#options.state());
    this.#options.onResponse?.(path, response.status);
    return response;
  }
}
