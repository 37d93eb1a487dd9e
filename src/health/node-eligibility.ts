// Whether the Node object allows load balancers to send new traffic to this node.

import type { SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { Node } from '../services/objects/node.ts';

/** Keeps the last state of a Node that disappears. */
export class NodeEligibility implements SyncObserver {
  readonly #engine: Pick<Engine, 'store' | 'options'>;
  #lastNode: Node | undefined;

  constructor(engine: Pick<Engine, 'store' | 'options'>) {
    this.#engine = engine;
  }

  /** The Node is known, and is neither being deleted nor about to be. */
  get isEligible(): boolean {
    this.committed();
    return this.#lastNode !== undefined && !this.#lastNode.toBeDeleted;
  }

  committed(): void {
    const { store, options } = this.#engine;
    this.#lastNode = store.nodes.get(options.nodeName) ?? this.#lastNode;
  }
}
