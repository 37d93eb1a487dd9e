// Endpoints that were removed from frontends recently: existing flows may still use them.

import type { UdpFrontend } from './udp-frontends.ts';

/** Enough for ten thousand Services with ten endpoints each deleted at the same time. */
const DEFAULT_LIMIT = 100_000;

interface RemovedFrontendEndpoints {
  servicePort: string;
  readonly removedAt: Map<string, number>;
}

/** Endpoints that a frontend loses. */
interface LostEndpoints extends Pick<UdpFrontend, 'key' | 'servicePort'> {
  readonly endpoints: Iterable<string>;
}

/** Keeps a limited number of endpoints, and drops the oldest frontends first. */
export class RemovedEndpoints {
  readonly #limit: number;
  readonly #byKey = new Map<string, RemovedFrontendEndpoints>();
  #size = 0;

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** The number of endpoints. */
  get size(): number {
    return this.#size;
  }

  /** The Service port whose frontend had this endpoint. */
  servicePortOf(key: string, endpoint: string): string | undefined {
    const entry = this.#byKey.get(key);
    return entry?.removedAt.has(endpoint) ? entry.servicePort : undefined;
  }

  /** When the endpoint was last removed from the frontend. */
  removedAt(key: string, endpoint: string): number | undefined {
    return this.#byKey.get(key)?.removedAt.get(endpoint);
  }

  /** Records the endpoints that the frontends of a Service lose. */
  record(before: readonly UdpFrontend[], after: readonly UdpFrontend[], now: number): void {
    const remaining = new Map(after.map(({ key, endpoints }) => [key, endpoints]));
    for (const { key, servicePort, endpoints } of before) {
      const kept = remaining.get(key);
      const lost = kept === undefined ? endpoints : [...endpoints].filter((endpoint) => !kept.has(endpoint));
      this.#add({ key, servicePort, endpoints: lost }, now);
    }
    this.#trim();
  }

  /** Drops endpoints removed at or before that time. */
  prune(until: number): void {
    for (const [key, { removedAt }] of this.#byKey) {
      for (const [endpoint, at] of removedAt) {
        if (at <= until && removedAt.delete(endpoint)) this.#size--;
      }
      if (removedAt.size === 0) this.#byKey.delete(key);
    }
  }

  #add({ key, servicePort, endpoints }: LostEndpoints, now: number): void {
    for (const endpoint of endpoints) {
      const entry = this.#byKey.get(key) ?? { servicePort, removedAt: new Map() };
      this.#byKey.set(key, entry);
      entry.servicePort = servicePort;
      if (!entry.removedAt.has(endpoint)) this.#size++;
      entry.removedAt.set(endpoint, now);
    }
  }

  #trim(): void {
    for (const [key, { removedAt }] of this.#byKey) {
      if (this.#size <= this.#limit) return;
      this.#byKey.delete(key);
      this.#size -= removedAt.size;
    }
  }
}
