// Endpoints that frontends have lost a moment ago, for flows that still go there, and frontends that may be gone.
import type { UdpTarget } from './udp-targets.ts';

/** Ten thousand Services that go at once, with ten endpoints each. */
const DEFAULT_LIMIT = 100_000;

interface Former {
  name: string;
  /** When each endpoint was lost. */
  readonly endpoints: Map<string, number>;
}

/** Remembers so many endpoints and no more: the frontends that it heard of first are forgotten first. */
export class FormerTargets {
  readonly #limit: number;
  readonly #byKey = new Map<string, Former>();
  #size = 0;

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** How many endpoints are remembered. */
  get size(): number {
    return this.#size;
  }

  /** The Service port that had this endpoint behind this frontend. */
  nameOf(key: string, endpoint: string): string | undefined {
    const former = this.#byKey.get(key);
    return former?.endpoints.has(endpoint) ? former.name : undefined;
  }

  /** When the frontend lost this endpoint, for the last time. */
  lostAt(key: string, endpoint: string): number | undefined {
    return this.#byKey.get(key)?.endpoints.get(endpoint);
  }

  /** Notes what the frontends of a Service lose by a change. */
  note(before: readonly UdpTarget[], after: readonly UdpTarget[], now: number): void {
    const left = new Map(after.map(({ key, endpoints }) => [key, endpoints]));
    for (const { key, name, endpoints } of before) {
      const kept = left.get(key);
      this.#add(
        key,
        name,
        kept === undefined ? endpoints : [...endpoints].filter((endpoint) => !kept.has(endpoint)),
        now,
      );
    }
    this.#trim();
  }

  /** Forgets what was lost until then. */
  forget(until: number): void {
    for (const [key, { endpoints }] of this.#byKey) {
      for (const [endpoint, lostAt] of endpoints) {
        if (lostAt <= until && endpoints.delete(endpoint)) this.#size--;
      }
      if (endpoints.size === 0) this.#byKey.delete(key);
    }
  }

  #add(key: string, name: string, endpoints: Iterable<string>, now: number): void {
    for (const endpoint of endpoints) {
      const former = this.#byKey.get(key) ?? { name, endpoints: new Map() };
      this.#byKey.set(key, former);
      former.name = name;
      if (!former.endpoints.has(endpoint)) this.#size++;
      former.endpoints.set(endpoint, now);
    }
  }

  #trim(): void {
    for (const [key, { endpoints }] of this.#byKey) {
      if (this.#size <= this.#limit) return;
      this.#byKey.delete(key);
      this.#size -= endpoints.size;
    }
  }
}
