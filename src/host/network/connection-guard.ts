// Bounds the connections of servers, so that clients cannot keep the probes of this node away.

import type { Socket } from 'node:net';
import { ConnectionPool, type PoolLimits } from './connection-pool.ts';
import { LocalClients, unmapped } from './local-clients.ts';

export interface ConnectionLimits {
  /** Of other hosts and of pods. */
  readonly remote: PoolLimits;
  /** Of this node itself, which are counted apart: the kubelet's probes are among them. */
  readonly local: Pick<PoolLimits, 'max'>;
}

interface ConnectionGuardOptions extends ConnectionLimits {
  /** A connection from this address was closed to make room for another. */
  readonly onEvict?: ((source: string) => void) | undefined;
  /** Which clients are this node; tests pass their own. */
  readonly localClients?: Pick<LocalClients, 'has'>;
}

/** Several servers may share one guard, and then also its limits. */
export class ConnectionGuard {
  readonly #options: ConnectionGuardOptions;
  readonly #remote: ConnectionPool;
  readonly #local: ConnectionPool;
  readonly #localClients: Pick<LocalClients, 'has'>;

  constructor(options: ConnectionGuardOptions) {
    this.#options = options;
    this.#remote = new ConnectionPool(options.remote);
    const { max } = options.local;
    this.#localClients = options.localClients ?? new LocalClients();
    this.#local = new ConnectionPool({ max, maxPerSource: max });
  }

  /** Call it for each new connection. */
  admit(socket: Socket): void {
    const { remoteAddress: source } = socket;
    // The client has already gone.
    if (source === undefined) return void socket.destroy();
    const pool = this.#localClients.has(source, socket.localAddress) ? this.#local : this.#remote;
    socket.once('close', () => pool.delete(socket));
    for (const evicted of pool.add(socket, unmapped(source))) this.#options.onEvict?.(evicted);
  }

  /** A request begins. Returns false if another request of this connection has not been answered yet. */
  begin(socket: Socket): boolean {
    return this.#poolOf(socket).begin(socket);
  }

  /** The request was answered. */
  end(socket: Socket): void {
    this.#poolOf(socket).end(socket);
  }

  #poolOf(socket: Socket): ConnectionPool {
    return this.#local.has(socket) ? this.#local : this.#remote;
  }
}
