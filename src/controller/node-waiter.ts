// Waiting for the own Node before the first sync: rules that know its address and zone need not be rewritten at once.
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';

export interface NodeWaiterParts {
  readonly engine: Pick<Engine, 'options' | 'store'>;
  readonly log: Log;
  readonly clock: Clock;
  /** Asks for a sync. */
  readonly request: () => void;
}

/** What is not there by then may be long in coming, and Services are better served without it. */
const TIMEOUT_MS = 10_000;

/** A wait that ends when the Node is known, or known not to exist, or after 10 seconds. */
export class NodeWaiter {
  readonly #parts: NodeWaiterParts;
  #timedOut = false;

  constructor(parts: NodeWaiterParts) {
    this.#parts = parts;
  }

  /** Whether the wait is over. */
  isDone(): boolean {
    return this.#timedOut || this.#missing() === undefined;
  }

  /** Ends with the time, or the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine, log, clock, request } = this.#parts;
    await clock.sleep(TIMEOUT_MS, signal);
    const missing = this.#missing();
    this.#timedOut = true;
    if (signal.aborted || missing === undefined) return;
    log.warn('going on without what this node should know of itself', { node: engine.options.nodeName, missing });
    request();
  }

  /** What is not known yet and may still come, in words. */
  #missing(): string | undefined {
    const { options, store } = this.#parts.engine;
    const node = store.nodes.get(options.nodeName);
    if (node === undefined) return store.hasSynced('Node') ? undefined : 'Nodes have not been listed';
    if (Object.keys(node.addresses).length === 0 && options.bindAddress === undefined) return 'the Node has no address';
    const wantsCidrs = options.detectLocal.mode === 'NodeCIDR';
    return wantsCidrs && Object.keys(node.podCidrs).length === 0 ? 'the Node has no podCIDRs' : undefined;
  }
}
