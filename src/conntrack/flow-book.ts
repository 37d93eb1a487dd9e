// The UDP frontends of all Services: as the kernel has them, and what a sync under way is about to make of them.
import { FormerTargets } from './former-targets.ts';
import { isSameTargets, type UdpTarget } from './udp-targets.ts';

/**
 * Changes are noted when they are compiled, and count when the kernel has them. In between the kernel may have the one
 * or the other. Times are milliseconds of the caller's clock.
 */
export class FlowBook {
  readonly #byService = new Map<string, readonly UdpTarget[]>();
  readonly #pending = new Map<string, readonly UdpTarget[]>();
  readonly #targets = new Map<string, UdpTarget>();
  readonly #coming = new Map<string, (UdpTarget | undefined)[]>();
  readonly #appeared = new Map<string, number>();
  readonly #former = new FormerTargets();

  /** By key: the frontends that there are. */
  get targets(): ReadonlyMap<string, UdpTarget> {
    return this.#targets;
  }

  /** By key: what a sync under way may have made of a frontend; `undefined` when it may have removed it. */
  get coming(): ReadonlyMap<string, readonly (UdpTarget | undefined)[]> {
    return this.#coming;
  }

  /** By key: when a frontend came that was none before. Until it is {@link forget forgotten}. */
  get appeared(): ReadonlyMap<string, number> {
    return this.#appeared;
  }

  /** Endpoints that frontends have lost, and when. Until they are {@link forget forgotten}. */
  get former(): FormerTargets {
    return this.#former;
  }

  /** The Service was compiled and has these UDP frontends now. */
  compiled(service: string, targets: readonly UdpTarget[], now: number): void {
    const held = this.#byService.get(service) ?? [];
    const pending = this.#pending.get(service);
    if (isSameTargets(pending ?? held, targets)) return;
    // A sync that failed may have brought in what the one after it takes back.
    if (pending !== undefined) this.#former.note(pending, targets, now);
    this.#pending.set(service, targets);
    const kept = new Map(targets.map((target) => [target.key, target]));
    for (const key of new Set([...held, ...targets].map((target) => target.key))) {
      const coming = this.#coming.get(key) ?? [];
      this.#coming.set(key, coming);
      coming.push(kept.get(key));
    }
  }

  /** Everything that was compiled is in the kernel. Returns whether that changed anything. */
  synced(now: number): boolean {
    const changed = this.#pending.size > 0;
    const unknown = [...this.#coming.keys()].filter((key) => !this.#targets.has(key));
    for (const [service, targets] of this.#pending) this.#put(service, targets, now);
    for (const key of unknown) if (this.#targets.has(key)) this.#appeared.set(key, now);
    this.#pending.clear();
    this.#coming.clear();
    return changed;
  }

  /** Forgets what went and what came until then. Returns whether there is something later. */
  forget(until: number): boolean {
    this.#former.forget(until);
    for (const [key, at] of this.#appeared) if (at <= until) this.#appeared.delete(key);
    return this.#former.size > 0 || this.#appeared.size > 0;
  }

  /** A frontend may have gone over to another Service before this one gives it up. */
  #put(service: string, targets: readonly UdpTarget[], now: number): void {
    const held = this.#byService.get(service) ?? [];
    this.#former.note(held, targets, now);
    for (const target of held) if (this.#targets.get(target.key) === target) this.#targets.delete(target.key);
    for (const target of targets) this.#targets.set(target.key, target);
    if (targets.length > 0) this.#byService.set(service, targets);
    else this.#byService.delete(service);
  }
}
