// The listeners of health check node ports: opened, kept and closed as Services come, stay and go.

import type { Log } from '../host/log.ts';
import { type HttpResponse, HttpServer } from '../host/network/http-server.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { Address } from '../net/address.ts';
import { type AddressPort, printAddressPort } from '../net/address-port.ts';

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

/** What one Service has, by address and port as they are printed. */
interface ServiceListeners {
  readonly listeners: Map<string, HttpServer>;
  /** Failures that were told, and last. */
  readonly loggedFailures: Map<string, string>;
}

/** One listener for each Service, address and port. One that cannot listen stands in nobody else's way. */
export class PortListeners {
  readonly #options: PortListenersOptions;
  readonly #byService = new Map<string, ServiceListeners>();
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
    const current: ServiceListeners = this.#byService.get(service) ?? {
      listeners: new Map(),
      loggedFailures: new Map(),
    };
    for (const [address, listener] of current.listeners) {
      if (wanted.has(address)) continue;
      listener.close();
      current.listeners.delete(address);
    }
    for (const address of current.loggedFailures.keys())
      if (!wanted.has(address)) current.loggedFailures.delete(address);
    if (addresses.length > 0) this.#byService.set(service, current);
    else this.#byService.delete(service);
  }

  #open(service: string, at: AddressPort): void {
    const address = printAddressPort(at);
    const current = this.#byService.get(service);
    if (current === undefined || current.listeners.has(address)) return;
    const respond = (): HttpResponse => this.#options.respond(service, at.address);
    const listener = new HttpServer({ ...at, ipv6Only: true, respond });
    current.listeners.set(address, listener);
    listener.open().then(
      () => {
        if (!current.loggedFailures.delete(address)) return;
        this.#options.log.info('health checks of a Service are answered after all', { service, address });
      },
      (error: unknown) => {
        if (current.listeners.get(address) !== listener) return;
        current.listeners.delete(address);
        this.#failed.add(service);
        const reason = errorMessage(error);
        if (current.loggedFailures.get(address) !== reason) this.#reportFailure({ service, port: at.port, reason });
        current.loggedFailures.set(address, reason);
      },
    );
  }

  #reportFailure(failure: ListenFailure): void {
    this.#options.log.warn('health checks of a Service are not answered', { ...failure });
    this.#options.onFailure?.(failure);
  }
}
