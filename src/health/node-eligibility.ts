// Whether load balancers may send new traffic to this node, as far as its Node object says.

import type { SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { Node } from '../services/objects/node.ts';

/** Keeps the Node as it was last seen: one that vanishes says nothing new. */
export class NodeEligibility implements SyncObserver {
  readonly #engine: Pick<Engine, 'store' | 'options'>;
  #lastNode: Node | undefined;

  constructor(engine: Pick<Engine, 'store' | 'options'>) {
    this.#engine = engine;
  }

  /** The Node is known, and neither being deleted nor about to be. */
  get eligible(): boolean {
    this.committed();
    return this.#lastNode !== undefined && !this.#lastNode.toBeDeleted;
  }

  committed(): void {
    const { store, options } = this.#engine;
    this.#lastNode = store.nodes.get(options.nodeName) ?? this.#lastNode;
  }
}
