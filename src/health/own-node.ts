// Whether load balancers may send new traffic to this node, as far as its Node object says.

import type { SyncObserver } from '../controller/observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { Node } from '../services/objects/node.ts';

/** Keeps the Node as it was last seen: one that vanishes says nothing new. */
export class OwnNode implements SyncObserver {
  readonly #engine: Pick<Engine, 'store' | 'options'>;
  #seen: Node | undefined;

  constructor(engine: Pick<Engine, 'store' | 'options'>) {
    this.#engine = engine;
  }

  /** The Node is known, and neither being deleted nor about to be. */
  get eligible(): boolean {
    this.synced();
    return this.#seen !== undefined && !this.#seen.leaving;
  }

  synced(): void {
    const { store, options } = this.#engine;
    this.#seen = store.nodes.get(options.nodeName) ?? this.#seen;
  }
}
