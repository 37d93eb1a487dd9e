// An HTTP server that keeps trying to listen.

import { errorMessage } from '../../lib/error-message.ts';
import { printAddressPort } from '../../net/address-port.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { LogOnce } from '../log-once.ts';
import { HttpServer, type HttpServerOptions } from './http-server.ts';

interface RetryingHttpServerOptions extends HttpServerOptions {
  /** Its name in the log. */
  readonly name: string;
  /** Whether to fail instead of trying again. */
  readonly hardFail: boolean;
  readonly retryMs?: number | undefined;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: Log;
}

const RETRY_MS = 5_000;

/** Listens from {@link open} to {@link close}. After a failure it tries again every five seconds. */
export class RetryingHttpServer {
  readonly #options: RetryingHttpServerOptions;
  readonly #server: HttpServer;
  readonly #failures: LogOnce;
  readonly #stop = new AbortController();

  constructor(options: RetryingHttpServerOptions) {
    this.#options = options;
    this.#server = new HttpServer(options);
    this.#failures = new LogOnce(options.log);
  }

  /** The port on which it listens; `undefined` while it does not. */
  get port(): number | undefined {
    return this.#server.port;
  }

  /** Resolves after the first attempt. Rejects with a `ListenError` only with `hardFail`. */
  async open(): Promise<void> {
    if (this.#options.hardFail) await this.#server.open();
    else if (!(await this.#tryOpen())) void this.#retry();
  }

  close(): void {
    this.#stop.abort();
    this.#server.close();
  }

  async #retry(): Promise<void> {
    const { clock, retryMs = RETRY_MS } = this.#options;
    do await clock.sleep(retryMs, this.#stop.signal);
    while (!this.#stop.signal.aborted && !(await this.#tryOpen()));
  }

  async #tryOpen(): Promise<boolean> {
    const { name, log, retryMs = RETRY_MS } = this.#options;
    try {
      await this.#server.open();
    } catch (error) {
      const fields = { server: name, reason: errorMessage(error), retryInMs: retryMs };
      this.#failures.log('error', 'HTTP server cannot listen', fields);
      return false;
    }
    if (this.#failures.reset())
      log.info('HTTP server listens now', { server: name, address: printAddressPort(this.#options) });
    return true;
  }
}
