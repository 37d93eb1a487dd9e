// The versions before losses that were applied a short time ago, to restore them if they turn out to be part of a mass loss.

import type { Kind } from '../../services/objects/kinds.ts';
import { LOSS_WINDOW_MS } from './assess-loss.ts';
import type { AnyResult } from './held-objects.ts';

export interface AppliedLoss {
  readonly kind: Kind;
  readonly key: string;
  /** The Service that lost it, `namespace/name`; empty for a ServiceCIDR. */
  readonly service: string;
  readonly before: AnyResult;
  readonly at: number;
}

/** One for each object. Entries expire after {@link LOSS_WINDOW_MS}. */
export class AppliedLosses {
  /** In the order of the times. */
  readonly #losses = new Map<string, AppliedLoss>();

  /** An earlier version of the same object is kept. */
  add(loss: AppliedLoss): void {
    this.#expire(loss.at);
    const id = idOf(loss);
    if (!this.#losses.has(id)) this.#losses.set(id, loss);
  }

  delete(object: Pick<AppliedLoss, 'kind' | 'key'>): void {
    this.#losses.delete(idOf(object));
  }

  /** Takes those that `isWanted` accepts. */
  take(now: number, isWanted: (loss: AppliedLoss) => boolean): AppliedLoss[] {
    this.#expire(now);
    const taken = [...this.#losses.values()].filter(isWanted);
    for (const loss of taken) this.#losses.delete(idOf(loss));
    return taken;
  }

  clear(): void {
    this.#losses.clear();
  }

  #expire(now: number): void {
    for (const [id, { at }] of this.#losses) {
      if (at > now - LOSS_WINDOW_MS) return;
      this.#losses.delete(id);
    }
  }
}

function idOf({ kind, key }: Pick<AppliedLoss, 'kind' | 'key'>): string {
  return `${kind} ${key}`;
}
