// Waits for this node's Node object before the first sync, so that its address and zone do not change all rules later.

import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';

interface NodeWaiterOptions {
  readonly engine: Pick<Engine, 'options' | 'store'>;
  readonly log: Log;
  readonly clock: Clock;
  /** Requests a sync. */
  readonly request: () => void;
}

/** After this, Services are programmed without the Node. */
const TIMEOUT_MS = 10_000;

/** The wait ends when the Node is known, is known not to exist, or after 10 seconds. */
export class NodeWaiter {
  readonly #options: NodeWaiterOptions;
  #hasTimedOut = false;

  constructor(options: NodeWaiterOptions) {
    this.#options = options;
  }

  isDone(): boolean {
    return this.#hasTimedOut || this.#missing() === undefined;
  }

  /** Resolves after the timeout, or when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine, log, clock, request } = this.#options;
    await clock.sleep(TIMEOUT_MS, signal);
    const missing = this.#missing();
    this.#hasTimedOut = true;
    if (signal.aborted || missing === undefined) return;
    log.warn('timed out waiting for the Node; syncing without it', { node: engine.options.nodeName, reason: missing });
    request();
  }

  /** What is not known yet and may still arrive. */
  #missing(): string | undefined {
    const { options, store } = this.#options.engine;
    const node = store.nodes.get(options.nodeName);
    if (node === undefined) return store.hasSynced('Node') ? undefined : 'Nodes have not been listed';
    if (Object.keys(node.addresses).length === 0 && options.bindAddress === undefined) return 'the Node has no address';
    const needsPodCidrs = options.detectLocal.mode === 'NodeCIDR';
    return needsPodCidrs && Object.keys(node.podCidrs).length === 0 ? 'the Node has no podCIDRs' : undefined;
  }
}
