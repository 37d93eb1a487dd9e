// The UDP frontends of all Services: those that the kernel has, and those that a running sync applies.

import { RemovedEndpoints } from './removed-endpoints.ts';
import { sameUdpFrontends, type UdpFrontend } from './udp-frontends.ts';

/**
 * Between compilation and commit, the kernel may have either state of a frontend, so both are kept. Times are milliseconds on
 * the caller's clock.
 */
export class UdpFrontendTracker {
  readonly #byService = new Map<string, readonly UdpFrontend[]>();
  readonly #pending = new Map<string, readonly UdpFrontend[]>();
  readonly #frontends = new Map<string, UdpFrontend>();
  readonly #uncommitted = new Map<string, (UdpFrontend | undefined)[]>();
  readonly #addedAt = new Map<string, number>();
  readonly #removed = new RemovedEndpoints();

  /** Committed frontends by key. */
  get frontends(): ReadonlyMap<string, UdpFrontend> {
    return this.#frontends;
  }

  /** By key: the states of a frontend that a running sync may have applied; `undefined` if it may have removed it. */
  get uncommitted(): ReadonlyMap<string, readonly (UdpFrontend | undefined)[]> {
    return this.#uncommitted;
  }

  /** By key: when a frontend was added, until it is {@link prune pruned}. */
  get addedAt(): ReadonlyMap<string, number> {
    return this.#addedAt;
  }

  /** Removed endpoints, until they are {@link prune pruned}. */
  get removed(): RemovedEndpoints {
    return this.#removed;
  }

  /** The Service is to have these UDP frontends. May be repeated. */
  compiled(service: string, frontends: readonly UdpFrontend[], now: number): void {
    const committed = this.#byService.get(service) ?? [];
    const pending = this.#pending.get(service);
    if (sameUdpFrontends(pending ?? committed, frontends)) return;
    // A failed sync may have applied changes that the next one reverts.
    if (pending !== undefined) this.#removed.record(pending, frontends, now);
    this.#pending.set(service, frontends);
    this.#expect(service, frontends);
  }

  #expect(service: string, frontends: readonly UdpFrontend[]): void {
    const committed = this.#byService.get(service) ?? [];
    const desired = new Map(frontends.map((frontend) => [frontend.key, frontend]));
    for (const key of new Set([...committed, ...frontends].map((frontend) => frontend.key))) {
      const states = this.#uncommitted.get(key) ?? [];
      this.#uncommitted.set(key, states);
      states.push(desired.get(key));
    }
  }

  /** The kernel has what was compiled for these Services. Returns whether anything changed. */
  committed(now: number, isCommitted: (service: string) => boolean = () => true): boolean {
    const done = [...this.#pending].filter(([service]) => isCommitted(service));
    const newKeys = [...this.#uncommitted.keys()].filter((key) => !this.#frontends.has(key));
    for (const [service, frontends] of done) {
      this.#commit(service, frontends, now);
      this.#pending.delete(service);
    }
    for (const key of newKeys) if (this.#frontends.has(key)) this.#addedAt.set(key, now);
    this.#uncommitted.clear();
    for (const [service, frontends] of this.#pending) this.#expect(service, frontends);
    return done.length > 0;
  }

  /** Drops additions and removals at or before that time. Returns whether there are later ones. */
  prune(until: number): boolean {
    this.#removed.prune(until);
    for (const [key, at] of this.#addedAt) if (at <= until) this.#addedAt.delete(key);
    return this.#removed.size > 0 || this.#addedAt.size > 0;
  }

  /** Another Service may have received a frontend before this one loses it. */
  #commit(service: string, frontends: readonly UdpFrontend[], now: number): void {
    const committed = this.#byService.get(service) ?? [];
    this.#removed.record(committed, frontends, now);
    for (const frontend of committed)
      if (this.#frontends.get(frontend.key) === frontend) this.#frontends.delete(frontend.key);
    for (const frontend of frontends) this.#frontends.set(frontend.key, frontend);
    if (frontends.length > 0) this.#byService.set(service, frontends);
    else this.#byService.delete(service);
  }
}
