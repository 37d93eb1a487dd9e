// The listeners of health check node ports.

import type { Log } from '../host/log.ts';
import { LogOnce } from '../host/log-once.ts';
import { ConnectionGuard } from '../host/network/connection-guard.ts';
import type { Evictions } from '../host/network/evictions.ts';
import { type HttpResponse, HttpServer } from '../host/network/http-server.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { Address } from '../net/address.ts';
import { type AddressPort, printAddressPort } from '../net/address-port.ts';
import { KEEP_ALIVE_MS, PORT_LIMITS } from './connection-limits.ts';

/** A port that could not be opened. */
export interface ListenFailure {
  /** `namespace/name`. */
  readonly service: string;
  readonly port: number;
  readonly reason: string;
}

interface PortListenersOptions {
  /** Responds for a Service at an address. */
  readonly respond: (service: string, address: Address) => HttpResponse;
  /** Called once for each failure while it lasts. */
  readonly onFailure?: ((failure: ListenFailure) => void) | undefined;
  readonly evictions: Evictions;
  readonly log: Log;
}

interface PortListener {
  /** `undefined` if it could not listen: the next {@link PortListeners.sync} retries. */
  server: HttpServer | undefined;
  readonly failures: LogOnce;
}

/** One listener per Service, address and port. A failure does not affect the others. */
export class PortListeners {
  readonly #options: PortListenersOptions;
  readonly #guard: ConnectionGuard;
  /** By Service, then by address and port. */
  readonly #byService = new Map<string, Map<string, PortListener>>();
  readonly #failed = new Set<string>();

  constructor(options: PortListenersOptions) {
    this.#options = options;
    const onEvict = (source: string) => options.evictions.add('service-health', source);
    this.#guard = new ConnectionGuard({ ...PORT_LIMITS, onEvict });
  }

  /** Services with a listener that could not be opened. */
  get failed(): Iterable<string> {
    return this.#failed;
  }

  /**
   * Sets the addresses of these Services. Existing listeners are kept. Unneeded ones are closed first, because a port may
   * move from one Service to another.
   */
  sync(desired: ReadonlyMap<string, readonly AddressPort[]>): void {
    for (const [service, addresses] of desired) this.#closeUnneeded(service, addresses);
    for (const [service, addresses] of desired) for (const address of addresses) this.#open(service, address);
  }

  close(): void {
    for (const service of this.#byService.keys()) this.#closeUnneeded(service, []);
  }

  #closeUnneeded(service: string, addresses: readonly AddressPort[]): void {
    this.#failed.delete(service);
    const desired = new Set(addresses.map(printAddressPort));
    const listeners = this.#byService.get(service) ?? new Map<string, PortListener>();
    for (const [address, { server }] of listeners) {
      if (desired.has(address)) continue;
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
      guard: this.#guard,
      keepAliveMs: KEEP_ALIVE_MS,
      bothFamilies: false,
      respond: () => respond(service, at.address),
    });
    listener.server = server;
    const isCurrent = () => listener.server === server && this.#byService.get(service)?.get(address) === listener;
    server.open().then(
      () => {
        if (isCurrent() && listener.failures.reset())
          log.info('health check node port listens now', { service, address });
      },
      (error: unknown) => {
        if (!isCurrent()) return;
        listener.server = undefined;
        this.#failed.add(service);
        this.#reportFailure(listener.failures, { service, port: at.port, reason: errorMessage(error) });
      },
    );
  }

  #reportFailure(failures: LogOnce, failure: ListenFailure): void {
    const isNew = failures.log('warn', 'health check node port cannot listen', { ...failure });
    if (isNew) this.#options.onFailure?.(failure);
  }
}
