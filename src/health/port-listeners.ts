// The listeners of health check node ports: opened, kept and closed as Services come, stay and go.

import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';
import type { Address } from '../net/address.ts';
import { type BindAddress, printBindAddress } from '../net/bind-address.ts';
import { type Answer, HttpListener } from './http-listener.ts';

/** A port that cannot be opened. */
export interface PortFailure {
  /** `namespace/name`. */
  readonly service: string;
  readonly port: number;
  readonly reason: string;
}

export interface PortListenersOptions {
  /** What is answered for a Service at an address. */
  readonly answer: (service: string, host: Address) => Answer;
  /** Told of each failure once as long as it lasts. */
  readonly onFailure?: ((failure: PortFailure) => void) | undefined;
  readonly log: Log;
}

/** What one Service has, by address and port as they are printed. */
interface Held {
  readonly listeners: Map<string, HttpListener>;
  /** Failures that were told, and last. */
  readonly told: Map<string, string>;
}

/** One listener for each Service, address and port. One that cannot listen stands in nobody else's way. */
export class PortListeners {
  readonly #options: PortListenersOptions;
  readonly #byService = new Map<string, Held>();
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
  put(wanted: ReadonlyMap<string, readonly BindAddress[]>): void {
    for (const [service, places] of wanted) this.#closeOthers(service, places);
    for (const [service, places] of wanted) for (const place of places) this.#open(service, place);
  }

  close(): void {
    for (const service of this.#byService.keys()) this.#closeOthers(service, []);
  }

  #closeOthers(service: string, places: readonly BindAddress[]): void {
    this.#failed.delete(service);
    const stay = new Set(places.map(printBindAddress));
    const held: Held = this.#byService.get(service) ?? { listeners: new Map(), told: new Map() };
    for (const [place, listener] of held.listeners) {
      if (stay.has(place)) continue;
      listener.close();
      held.listeners.delete(place);
    }
    for (const place of held.told.keys()) if (!stay.has(place)) held.told.delete(place);
    if (places.length > 0) this.#byService.set(service, held);
    else this.#byService.delete(service);
  }

  #open(service: string, { host, port }: BindAddress): void {
    const place = printBindAddress({ host, port });
    const held = this.#byService.get(service);
    if (held === undefined || held.listeners.has(place)) return;
    const answer = (): Answer => this.#options.answer(service, host);
    const listener = new HttpListener({ host, port, ipv6Only: true, answer });
    held.listeners.set(place, listener);
    listener.open().then(
      () => {
        if (!held.told.delete(place)) return;
        this.#options.log.info('health checks of a Service are answered after all', { service, address: place });
      },
      (error: unknown) => {
        if (held.listeners.get(place) !== listener) return;
        held.listeners.delete(place);
        this.#failed.add(service);
        const reason = reasonOf(error);
        if (held.told.get(place) !== reason) this.#tell({ service, port, reason });
        held.told.set(place, reason);
      },
    );
  }

  #tell(failure: PortFailure): void {
    this.#options.log.warn('health checks of a Service are not answered', { ...failure });
    this.#options.onFailure?.(failure);
  }
}
