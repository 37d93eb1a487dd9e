// The open connections of one group of clients. A new connection is never refused: the oldest idle one makes room.

import type { Socket } from 'node:net';

export interface PoolLimits {
  readonly max: number;
  readonly maxPerSource: number;
}

interface Connection {
  readonly source: string;
  isBusy: boolean;
}

/** A server that refuses the newest connection is silent to its probes as soon as anyone holds all the others. */
export class ConnectionPool {
  readonly #limits: PoolLimits;
  /** In the order of their last request. */
  readonly #connections = new Map<Socket, Connection>();
  readonly #countBySource = new Map<string, number>();

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  has(socket: Socket): boolean {
    return this.#connections.has(socket);
  }

  /** Returns the sources of the connections that were closed for it: none, or one. */
  add(socket: Socket, source: string): readonly string[] {
    const ofSource = this.#countBySource.get(source) ?? 0;
    const { max, maxPerSource } = this.#limits;
    const evicted = ofSource >= maxPerSource ? this.#evict(source) : this.#connections.size >= max ? this.#evict() : [];
    this.#connections.set(socket, { source, isBusy: false });
    this.#countBySource.set(source, (this.#countBySource.get(source) ?? 0) + 1);
    return evicted;
  }

  /** A request begins. Returns false if another request of this connection has not been answered yet. */
  begin(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return true;
    if (connection.isBusy) return false;
    this.#touch(socket, { ...connection, isBusy: true });
    return true;
  }

  /** The request was answered. */
  end(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection !== undefined) this.#touch(socket, { ...connection, isBusy: false });
  }

  delete(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    this.#connections.delete(socket);
    const left = (this.#countBySource.get(connection.source) ?? 1) - 1;
    if (left === 0) this.#countBySource.delete(connection.source);
    else this.#countBySource.set(connection.source, left);
  }

  #touch(socket: Socket, connection: Connection): void {
    this.#connections.delete(socket);
    this.#connections.set(socket, connection);
  }

  /** Closes the oldest idle connection, of `source` if given; a busy one only if none is idle. */
  #evict(source?: string): readonly string[] {
    let victim: readonly [Socket, Connection] | undefined;
    for (const entry of this.#connections) {
      if (source !== undefined && entry[1].source !== source) continue;
      victim ??= entry;
      if (entry[1].isBusy) continue;
      victim = entry;
      break;
    }
    if (victim === undefined) return [];
    const [socket, connection] = victim;
    this.delete(socket);
    // A reset, because an orderly close would leave the kernel's half of the connection for a minute.
    socket.resetAndDestroy();
    return [connection.source];
  }
}
