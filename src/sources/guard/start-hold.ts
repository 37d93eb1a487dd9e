// Keeps what the kernel has from before the start, if a fresh list has lost most of it.

import type { EndpointLoss } from '../../nftables/compile/endpoint-loss.ts';
import { assessLoss, type LossLimits } from './assess-loss.ts';
import type { HoldEnd, HoldOptions } from './hold.ts';

interface StartHoldOptions extends Pick<HoldOptions, 'now' | 'onHold' | 'onEnd'> {
  readonly limits: () => LossLimits;
}

/**
 * A daemon that restarts while the API server is empty has no objects to keep, but the kernel still has the elements. The first
 * sync waits for the grace period, or until most Services are back: nothing is changed until then.
 */
export class StartHold {
  readonly #options: StartHoldOptions;
  #hold: { readonly since: number; readonly lost: number } | undefined;
  #isOver = false;

  constructor(options: StartHoldOptions) {
    this.#options = options;
  }

  /** When it began; `undefined` if nothing is held. */
  get since(): number | undefined {
    return this.#hold?.since;
  }

  /** The number of Services that the kernel has, and the source has not. */
  get heldServices(): number {
    return this.#hold?.lost ?? 0;
  }

  /** Whether the first sync may take this away. */
  mayLose({ lost, present }: EndpointLoss): boolean {
    if (this.#isOver) return true;
    const { limits, now, onHold } = this.#options;
    if (assessLoss({ lost, present }, limits()) !== 'mass') return this.#end('recovered', 0);
    if (this.#hold === undefined) onHold?.({ lost, before: lost + present });
    this.#hold = { since: this.#hold?.since ?? now(), lost };
    return now() - this.#hold.since < limits().gracePeriodMs ? false : this.#end('expired', lost);
  }

  /** Lets the first sync take everything away. Returns the number of Services. */
  accept(): number {
    const { heldServices } = this;
    if (this.#hold !== undefined) this.#end('accepted', heldServices);
    return heldServices;
  }

  #end(end: HoldEnd, services: number): true {
    const held = this.#hold;
    this.#isOver = true;
    this.#hold = undefined;
    if (held !== undefined) this.#options.onEnd?.(end, end === 'recovered' ? held.lost : services);
    return true;
  }
}
