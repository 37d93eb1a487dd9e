// Endpoints that frontends have lost a moment ago, for flows that still go there, and frontends that may be gone.
import type { UdpFrontend } from './udp-frontends.ts';

/** Ten thousand Services that go at once, with ten endpoints each. */
const DEFAULT_LIMIT = 100_000;

interface RemovedFrontendEndpoints {
  servicePort: string;
  /** When each endpoint was lost. */
  readonly removedAt: Map<string, number>;
}

/** Remembers so many endpoints and no more: the frontends that it heard of first are forgotten first. */
export class RemovedEndpoints {
  readonly #limit: number;
  readonly #byKey = new Map<string, RemovedFrontendEndpoints>();
  #size = 0;

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** How many endpoints are remembered. */
  get size(): number {
    return this.#size;
  }

  /** The Service port that had this endpoint behind this frontend. */
  servicePortOf(key: string, endpoint: string): string | undefined {
    const former = this.#byKey.get(key);
    return former?.removedAt.has(endpoint) ? former.servicePort : undefined;
  }

  /** When the frontend lost this endpoint, for the last time. */
  removedAt(key: string, endpoint: string): number | undefined {
    return this.#byKey.get(key)?.removedAt.get(endpoint);
  }

  /** Notes what the frontends of a Service lose by a change. */
  record(before: readonly UdpFrontend[], after: readonly UdpFrontend[], now: number): void {
    const remaining = new Map(after.map(({ key, endpoints }) => [key, endpoints]));
    for (const { key, servicePort, endpoints } of before) {
      const kept = remaining.get(key);
      this.#add(
        key,
        servicePort,
        kept === undefined ? endpoints : [...endpoints].filter((endpoint) => !kept.has(endpoint)),
        now,
      );
    }
    this.#trim();
  }

  /** Forgets what was lost until then. */
  prune(until: number): void {
    for (const [key, { removedAt }] of this.#byKey) {
      for (const [endpoint, lostAt] of removedAt) {
        if (lostAt <= until && removedAt.delete(endpoint)) this.#size--;
      }
      if (removedAt.size === 0) this.#byKey.delete(key);
    }
  }

  #add(key: string, name: string, endpoints: Iterable<string>, now: number): void {
    for (const endpoint of endpoints) {
      const former = this.#byKey.get(key) ?? { servicePort: name, removedAt: new Map() };
      this.#byKey.set(key, former);
      former.servicePort = name;
      if (!former.removedAt.has(endpoint)) this.#size++;
      former.removedAt.set(endpoint, now);
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
