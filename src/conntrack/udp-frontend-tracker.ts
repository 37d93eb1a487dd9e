// The UDP frontends of all Services: as the kernel has them, and what a sync under way is about to make of them.
import { RemovedEndpoints } from './removed-endpoints.ts';
import { sameUdpFrontends, type UdpFrontend } from './udp-frontends.ts';

/**
 * Changes are noted when they are compiled, and count when the kernel has them. In between the kernel may have the one
 * or the other. Times are milliseconds of the caller's clock.
 */
export class UdpFrontendTracker {
  readonly #byService = new Map<string, readonly UdpFrontend[]>();
  readonly #pending = new Map<string, readonly UdpFrontend[]>();
  readonly #frontends = new Map<string, UdpFrontend>();
  readonly #uncommitted = new Map<string, (UdpFrontend | undefined)[]>();
  readonly #addedAt = new Map<string, number>();
  readonly #removed = new RemovedEndpoints();

  /** By key: the frontends that there are. */
  get frontends(): ReadonlyMap<string, UdpFrontend> {
    return this.#frontends;
  }

  /** By key: what a sync under way may have made of a frontend; `undefined` when it may have removed it. */
  get uncommitted(): ReadonlyMap<string, readonly (UdpFrontend | undefined)[]> {
    return this.#uncommitted;
  }

  /** By key: when a frontend came that was none before. Until it is {@link prune forgotten}. */
  get addedAt(): ReadonlyMap<string, number> {
    return this.#addedAt;
  }

  /** Endpoints that frontends have lost, and when. Until they are {@link prune forgotten}. */
  get removed(): RemovedEndpoints {
    return this.#removed;
  }

  /** A sync is about to give the Service these UDP frontends. May be repeated. */
  compiled(service: string, frontends: readonly UdpFrontend[], now: number): void {
    const committed = this.#byService.get(service) ?? [];
    const pending = this.#pending.get(service);
    if (sameUdpFrontends(pending ?? committed, frontends)) return;
    // A sync that failed may have brought in what the one after it takes back.
    if (pending !== undefined) this.#removed.record(pending, frontends, now);
    this.#pending.set(service, frontends);
    const desired = new Map(frontends.map((target) => [target.key, target]));
    for (const key of new Set([...committed, ...frontends].map((target) => target.key))) {
      const states = this.#uncommitted.get(key) ?? [];
      this.#uncommitted.set(key, states);
      states.push(desired.get(key));
    }
  }

  /** The kernel holds everything that was compiled. Returns whether that changed anything. */
  committed(now: number): boolean {
    const changed = this.#pending.size > 0;
    const newKeys = [...this.#uncommitted.keys()].filter((key) => !this.#frontends.has(key));
    for (const [service, frontends] of this.#pending) this.#commit(service, frontends, now);
    for (const key of newKeys) if (this.#frontends.has(key)) this.#addedAt.set(key, now);
    this.#pending.clear();
    this.#uncommitted.clear();
    return changed;
  }

  /** Forgets what went and what came until then. Returns whether there is something later. */
  prune(until: number): boolean {
    this.#removed.prune(until);
    for (const [key, at] of this.#addedAt) if (at <= until) this.#addedAt.delete(key);
    return this.#removed.size > 0 || this.#addedAt.size > 0;
  }

  /** A frontend may have gone over to another Service before this one gives it up. */
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
