// The HTTP server for metrics and debugging.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { ConnectionGuard, type ConnectionLimits } from '../../host/network/connection-guard.ts';
import type { Evictions } from '../../host/network/evictions.ts';
import type { HttpRequest, HttpResponse } from '../../host/network/http-server.ts';
import { ListenError } from '../../host/network/listen.ts';
import { RetryingHttpServer } from '../../host/network/retrying-http-server.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { untilAborted } from '../../lib/until-aborted.ts';
import type { AddressPort } from '../../net/address-port.ts';

export interface PageResponse {
  /** 200 when absent. */
  readonly status?: number;
  readonly type: string;
  readonly body: string;
}

export type PageRequest = Pick<HttpRequest, 'query' | 'headers'>;

export type PageHandler = (request: PageRequest) => PageResponse | Promise<PageResponse>;

/** Pages by their exact path. */
export type Pages = Readonly<Record<string, PageHandler>>;

interface DebugServerOptions {
  readonly address: AddressPort;
  readonly pages: Pages;
  /** Whether `run` rejects if the server cannot listen, instead of retrying. */
  readonly hardFail: boolean;
  readonly evictions: Evictions;
  readonly log: Log;
  readonly clock: Clock;
}

export const TEXT_PLAIN = 'text/plain; charset=utf-8';

/** For one scraper and a few operators. A response may have megabytes, which a slow client keeps in memory. */
const LIMITS: ConnectionLimits = { remote: { max: 40, maxPerSource: 10 }, local: { max: 20 } };

/** The metrics server cannot listen, and `hardFail` is set. */
export class MetricsListenError extends ListenError {}

/** Responds to any method; unknown paths get 404. */
export class DebugServer {
  readonly #options: DebugServerOptions;
  readonly #server: RetryingHttpServer;

  constructor(options: DebugServerOptions) {
    const { address, hardFail, evictions, clock, log } = options;
    this.#options = options;
    this.#server = new RetryingHttpServer({
      ...address,
      bothFamilies: true,
      name: 'metrics',
      guard: new ConnectionGuard({ ...LIMITS, onEvict: (source) => evictions.add('metrics', source) }),
      respond: (request) => this.#respond(request),
      hardFail,
      clock,
      log,
    });
  }

  /** Where it listens; `undefined` while it does not. */
  get port(): number | undefined {
    return this.#server.port;
  }

  /** Serves until the signal aborts. Rejects with {@link MetricsListenError} only with `hardFail`. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#server.open();
    } catch (error) {
      throw new MetricsListenError(errorMessage(error), { cause: error });
    }
    await untilAborted(signal);
    this.#server.close();
  }

  async #respond(request: HttpRequest): Promise<HttpResponse> {
    const { status = 200, type, body } = await this.#page(request);
    return { status, headers: { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' }, body };
  }

  async #page({ path, query, headers }: HttpRequest): Promise<PageResponse> {
    const page = Object.hasOwn(this.#options.pages, path) ? this.#options.pages[path] : undefined;
    if (page === undefined) return { status: 404, type: TEXT_PLAIN, body: '404 page not found\n' };
    try {
      return await page({ query, headers });
    } catch (error) {
      const reason = errorMessage(error);
      this.#options.log.error('cannot serve page', { path, reason });
      return { status: 500, type: TEXT_PLAIN, body: `${reason}\n` };
    }
  }
}
