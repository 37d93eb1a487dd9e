// The listeners of health check node ports: opened, kept and closed as Services come, stay and go.

import type { Log } from '../host/log.ts';
import { LogOnce } from '../host/log-once.ts';
import { type HttpResponse, HttpServer } from '../host/network/http-server.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { Address } from '../net/address.ts';
import { type AddressPort, printAddressPort } from '../net/address-port.ts';
import { CONNECTION_LIMITS } from './connection-limits.ts';

/** A port that cannot be opened. */
export interface ListenFailure {
  /** `namespace/name`. */
  readonly service: string;
  readonly port: number;
  readonly reason: string;
}

export interface PortListenersOptions {
  /** What is answered for a Service at an address. */
  readonly respond: (service: string, address: Address) => HttpResponse;
  /** Told of each failure once as long as it lasts. */
  readonly onFailure?: ((failure: ListenFailure) => void) | undefined;
  readonly log: Log;
}

interface PortListener {
  /** `undefined` when it could not listen: it is retried with the next {@link PortListeners.sync}. */
  server: HttpServer | undefined;
  readonly failures: LogOnce;
}

/** One listener for each Service, address and port. One that cannot listen stands in nobody else's way. */
export class PortListeners {
  readonly #options: PortListenersOptions;
  /** By Service, then by address and port. */
  readonly #byService = new Map<string, Map<string, PortListener>>();
  readonly #failed = new Set<string>();

  constructor(options: PortListenersOptions) {
    this.#options = options;
  }

  /** Services of which a listener could not be opened. */
  get failed(): Iterable<string> {
    return this.#failed;
  }

  /**
   * These Services are to be answered at these places, and at no others; at those where they are already, nothing
   * happens. First all that is not wanted any more is closed, for a port may go over from one Service to another.
   */
  sync(wanted: ReadonlyMap<string, readonly AddressPort[]>): void {
    for (const [service, addresses] of wanted) this.#closeUnwanted(service, addresses);
    for (const [service, addresses] of wanted) for (const address of addresses) this.#open(service, address);
  }

  close(): void {
    for (const service of this.#byService.keys()) this.#closeUnwanted(service, []);
  }

  #closeUnwanted(service: string, addresses: readonly AddressPort[]): void {
    this.#failed.delete(service);
    const wanted = new Set(addresses.map(printAddressPort));
    const listeners = this.#byService.get(service) ?? new Map<string, PortListener>();
    for (const [address, { server }] of listeners) {
      if (wanted.has(address)) continue;
      server?.close();
      listeners.delete(address);
    }
    if (addresses.length > 0) this.#byService.set(service, listeners);
    else this.#byService.delete(service);
  }

  #open(service: string, at: AddressPort): void {
    const { log, respond } = this.#options;
    const address = printAddressPort(at);
    const listener = this.#byService.get(service)?.get(address) ?? { server: undefined, failures: new LogOnce(log) };
    if (listener.server !== undefined) return;
    this.#byService.get(service)?.set(address, listener);
    const server = new HttpServer({
      ...at,
      ...CONNECTION_LIMITS,
      ipv6Only: true,
      respond: () => respond(service, at.address),
    });
    listener.server = server;
    server.open().then(
      () => {
        if (listener.failures.reset())
          log.info('health checks of a Service are answered after all', { service, address });
      },
      (error: unknown) => {
        if (listener.server !== server || this.#byService.get(service)?.get(address) !== listener) return;
        listener.server = undefined;
        this.#failed.add(service);
        this.#reportFailure(listener.failures, { service, port: at.port, reason: errorMessage(error) });
      },
    );
  }

  #reportFailure(failures: LogOnce, failure: ListenFailure): void {
    const isNew = failures.log('warn', 'health checks of a Service are not answered', { ...failure });
    if (isNew) this.#options.onFailure?.(failure);
  }
}
