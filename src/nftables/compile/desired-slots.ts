// The desired slots of frontends: their endpoints, repeated by weight.

import type { Steps } from '../../lib/steps.ts';
import type { Backend } from '../../services/model/backends.ts';
import { repeatByWeight, weightedBackends } from '../../services/model/weighted-backends.ts';
import type { Service } from '../../services/objects/service.ts';
import { maglevTable } from '../plan/maglev.ts';
import { concat } from '../syntax/element.ts';

/**
 * The slots of all frontends of a Service. Frontends with the same endpoints share one list: a Maglev table takes up to 100 ms,
 * and a Service can have it at hundreds of ports and addresses.
 */
export class DesiredSlots {
  readonly #service: Service;
  readonly #byBackends = new Map<readonly Backend[], readonly string[]>();
  /** Maglev tables by the names and weights of their endpoints. */
  readonly #tables = new Map<string, readonly string[]>();

  constructor(service: Service) {
    this.#service = service;
  }

  /** The endpoints as `address . port` in the order of slots, for the balance mode and the weights of the Service. */
  *of(backends: readonly Backend[]): Steps<readonly string[]> {
    const known = this.#byBackends.get(backends);
    if (known !== undefined) return known;
    const shares = weightedBackends(this.#service, backends).map(({ value: { address, port }, weight }) => {
      return { value: concat(address, port), weight };
    });
    const slots = this.#service.balance === 'maglev' ? yield* this.#table(shares) : repeatByWeight(shares);
    this.#byBackends.set(backends, slots);
    return slots;
  }

  *#table(shares: readonly { readonly value: string; readonly weight: number }[]): Steps<readonly string[]> {
    const key = shares.map(({ value, weight }) => `${value}=${weight}`).join();
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const table = yield* maglevTable(shares.map(({ value: name, weight }) => ({ name, weight })));
    this.#tables.set(key, table);
    return table;
  }
}
