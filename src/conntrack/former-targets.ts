// Endpoints that frontends have lost since the last clean-up, for frontends that may be gone themselves.
import type { UdpTarget } from './udp-targets.ts';

/** Ten thousand Services that go at once, with ten endpoints each. */
const DEFAULT_LIMIT = 100_000;

interface Former {
  name: string;
  readonly endpoints: Set<string>;
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

  /** Notes what the frontends of a Service lose by a change. */
  note(before: readonly UdpTarget[], after: readonly UdpTarget[]): void {
    const left = new Map(after.map(({ key, endpoints }) => [key, endpoints]));
    for (const { key, name, endpoints } of before) {
      const kept = left.get(key);
      this.#add(key, name, kept === undefined ? endpoints : [...endpoints].filter((endpoint) => !kept.has(endpoint)));
    }
    this.#trim();
  }

  /** Hands over everything, and remembers nothing. */
  take(): FormerTargets {
    const taken = new FormerTargets(this.#limit);
    taken.addAll(this);
    this.#byKey.clear();
    this.#size = 0;
    return taken;
  }

  addAll(others: FormerTargets): void {
    for (const [key, { name, endpoints }] of others.#byKey) this.#add(key, name, endpoints);
    this.#trim();
  }

  #add(key: string, name: string, endpoints: Iterable<string>): void {
    for (const endpoint of endpoints) {
      const former = this.#byKey.get(key) ?? { name, endpoints: new Set() };
      this.#byKey.set(key, former);
      former.name = name;
      if (!former.endpoints.has(endpoint)) this.#size++;
      former.endpoints.add(endpoint);
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
