// Keeps the kernel as an earlier daemon left it, if the first list has lost most of it.

import type { Store } from '../../engine/store.ts';
import type { Steps } from '../../lib/steps.ts';
import type { KernelServices } from '../../nftables/compile/kernel-services.ts';
import { assessLoss, type LossLimits } from './assess-loss.ts';
import type { HoldEnd } from './hold.ts';
import { type StartLoss, startLoss } from './start-loss.ts';

/** How long earlier daemons have held their start, so that restarts do not make a hold longer. Never throws. */
export interface HoldRecord {
  /** How long the hold of an earlier daemon has lasted by now, in milliseconds; `undefined` if there was none. */
  readonly heldMs: number | undefined;
  /** The hold has lasted so long, and continues. */
  save(heldMs: number): void;
  /** There is no hold any more. */
  clear(): void;
}

/** `emptied`: the kernel has nothing to keep any more, because another process deleted it. */
export type StartEnd = HoldEnd | 'emptied';

interface StartHoldOptions {
  /** What the source has. */
  readonly store: Pick<Store, 'services' | 'slicesOf'>;
  readonly limits: () => LossLimits;
  /** Milliseconds. */
  readonly now: () => number;
  readonly record: HoldRecord;
  /** The start is held for another `remainingMs`: `lost` of `before` Services would be lost. */
  readonly onHold?: (count: StartCount) => void;
  /** The start continues: `applied` is the number of Services whose loss it applies. */
  readonly onEnd?: (end: StartEnd, applied: number) => void;
}

export interface StartCount {
  readonly lost: number;
  readonly before: number;
  readonly remainingMs: number;
}

/** What is held. Numbers of lost Services: now, when it began, and the smallest one so far, which was reached at `progressAt`. */
interface Held {
  readonly since: number;
  readonly lost: number;
  readonly first: number;
  readonly fewest: number;
  readonly progressAt: number;
}

/** When fewer Services are missing than a mass loss needs, and none has come back for this time, the others are gone. */
const SETTLE_MS = 5_000;
const SAVE_INTERVAL_MS = 10_000;

/**
 * A daemon that starts while the API server is empty has no objects to keep, but the kernel has the elements of an earlier
 * daemon. Nothing is changed in the kernel, until most Services are back or the grace period is over, which begins with the
 * first daemon that held its start.
 */
export class StartHold {
  readonly #options: StartHoldOptions;
  #held: Held | undefined;
  #isOver = false;
  /** The loss is to be applied by the first sync. */
  #isApplying = false;
  #savedAt = Number.NEGATIVE_INFINITY;

  constructor(options: StartHoldOptions) {
    this.#options = options;
  }

  /** Whether the start was allowed: nothing is held from then on. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The number of Services that the kernel has and the source has not. */
  get heldServices(): number {
    return this.#held?.lost ?? 0;
  }

  /** How long the start has been held, and how long it will be; `undefined` if it is not. */
  get times(): { readonly heldMs: number; readonly remainingMs: number } | undefined {
    if (this.#held === undefined) return undefined;
    const heldMs = this.#options.now() - this.#held.since;
    return { heldMs, remainingMs: Math.max(0, this.#options.limits().gracePeriodMs - heldMs) };
  }

  /** Whether the first sync may change the kernel, which has these Services. Asked again while it may not. */
  *mayStart(kernel: KernelServices): Steps<boolean> {
    const loss = yield* startLoss(kernel, this.#options.store);
    if (this.#isOver) return true;
    const assessments = loss.families.map((count) => assessLoss(count, this.#options.limits()));
    const isMass = assessments.includes('mass');
    if (this.#held === undefined && !isMass) return this.#allow();
    this.#hold(loss);
    const end = this.#endOf(loss, { isMass, isEmpty: kernel.size === 0 });
    if (end !== undefined) this.#end(end, loss.services);
    return this.#isOver;
  }

  /** Allows the start. Returns the number of Services that it takes from the kernel. */
  accept(): number {
    const { heldServices } = this;
    if (this.#held !== undefined) this.#end('accepted', heldServices);
    return heldServices;
  }

  /** The kernel has what the source has. */
  started(): void {
    if (this.#isApplying) this.#options.record.clear();
    this.#isApplying = false;
  }

  #allow(): true {
    this.#isOver = true;
    if (this.#options.record.heldMs !== undefined) this.#options.record.clear();
    return true;
  }

  #hold({ services: lost, families }: StartLoss): void {
    const { now, record, onHold } = this.#options;
    const before = this.#held;
    const since = before?.since ?? now() - (record.heldMs ?? 0);
    const isProgress = before === undefined || lost < before.fewest;
    const progressAt = isProgress ? now() : before.progressAt;
    const { first, fewest } = before ?? { first: lost, fewest: lost };
    this.#held = { since, lost, first, fewest: Math.min(lost, fewest), progressAt };
    if (before === undefined) {
      const present = Math.max(...families.map((count) => count.present));
      onHold?.({ lost, before: lost + present, remainingMs: this.times?.remainingMs ?? 0 });
    }
    if (now() - this.#savedAt < SAVE_INTERVAL_MS) return;
    this.#savedAt = now();
    record.save(now() - since);
  }

  #endOf(
    { services }: StartLoss,
    { isMass, isEmpty }: { readonly isMass: boolean; readonly isEmpty: boolean },
  ): StartEnd | undefined {
    const { first = 0, progressAt = 0 } = this.#held ?? {};
    if (isEmpty) return 'emptied';
    const isSettled = !isMass && this.#options.now() - progressAt >= SETTLE_MS;
    // Without any Service back, it is the limits that have changed.
    if (services === 0 || isSettled) return services < first ? 'recovered' : 'accepted';
    return this.times?.remainingMs === 0 ? 'expired' : undefined;
  }

  /**
   * If the loss is to be applied, the record stays until {@link started}: a daemon that ends before must not begin again, but a
   * later loss is another one.
   */
  #end(end: StartEnd, applied: number): void {
    this.#isOver = true;
    this.#held = undefined;
    this.#isApplying = end === 'expired' || end === 'accepted';
    if (end === 'accepted') this.#options.record.save(this.#options.limits().gracePeriodMs);
    if (!this.#isApplying) this.#options.record.clear();
    this.#options.onEnd?.(end, applied);
  }
}
