// The UDP frontends of all Services: as the kernel has them, and what a sync under way is about to change.
import { FormerTargets } from './former-targets.ts';
import { isSameTargets, type UdpTarget } from './udp-targets.ts';

/**
 * Changes are noted when they are compiled, and count when the kernel has them. In between their frontends are
 * `changing`: the kernel may have the one or the other.
 */
export class FlowBook {
  readonly #byService = new Map<string, readonly UdpTarget[]>();
  readonly #pending = new Map<string, readonly UdpTarget[]>();
  readonly #targets = new Map<string, UdpTarget>();
  readonly #changing = new Set<string>();
  readonly #former = new FormerTargets();

  get targets(): ReadonlyMap<string, UdpTarget> {
    return this.#targets;
  }

  get changing(): ReadonlySet<string> {
    return this.#changing;
  }

  /** The Service was compiled and has these UDP frontends now. */
  compiled(service: string, targets: readonly UdpTarget[]): void {
    const held = this.#byService.get(service) ?? [];
    const pending = this.#pending.get(service);
    if (isSameTargets(pending ?? held, targets)) return;
    // A sync that failed may have brought in what the one after it takes back.
    if (pending !== undefined) this.#former.note(pending, targets);
    this.#pending.set(service, targets);
    for (const { key } of [...held, ...targets]) this.#changing.add(key);
  }

  /** Everything that was compiled is in the kernel. Returns whether that changed anything. */
  synced(): boolean {
    const changed = this.#pending.size > 0;
    for (const [service, targets] of this.#pending) this.#put(service, targets);
    this.#pending.clear();
    this.#changing.clear();
    return changed;
  }

  /** What frontends have lost since the last call. A clean-up that fails gives it back. */
  takeFormer(): FormerTargets {
    return this.#former.take();
  }

  giveBack(former: FormerTargets): void {
    this.#former.addAll(former);
  }

  /** A frontend may have gone over to another Service before this one gives it up. */
  #put(service: string, targets: readonly UdpTarget[]): void {
    const held = this.#byService.get(service) ?? [];
    this.#former.note(held, targets);
    for (const target of held) if (this.#targets.get(target.key) === target) this.#targets.delete(target.key);
    for (const target of targets) this.#targets.set(target.key, target);
    if (targets.length > 0) this.#byService.set(service, targets);
    else this.#byService.delete(service);
  }
}
