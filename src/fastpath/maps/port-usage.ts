// Tracks the ports in use: those of frontends and backends, and of removed frontends that still have flows.

import type { BackendValue } from './entries.ts';
import { PortBitmap } from './port-bitmap.ts';

/** Decides whether a port is still needed. */
interface PortNeeds {
  /** In milliseconds. */
  readonly now: number;
  /** Ports of the installed frontends. */
  readonly frontendPorts: ReadonlySet<number>;
  /** Backends of the used slots. */
  readonly backends: readonly BackendValue[];
  /** Service ports with flows, counted at `at`; `undefined` before the first count. */
  readonly flows: { readonly at: number; readonly servicePortIds: ReadonlySet<number> } | undefined;
}

/** Service ports that have used a frontend's port. */
interface PortUsers {
  readonly servicePortIds: Set<number>;
  /** In milliseconds: when the last frontend with the port was removed; 0 while there is one. */
  idleSince: number;
}

/** Keeps the bit of a port set while a frontend, a backend or a flow uses the port. */
export class PortUsage {
  readonly #bitmap: PortBitmap;
  readonly #users = new Map<number, PortUsers>();

  /** Assumes that each installed Service port may have flows through each installed frontend port. */
  constructor(
    installed: ReadonlyMap<number, bigint>,
    { servicePortIds, now }: { readonly servicePortIds: readonly number[]; readonly now: number },
  ) {
    this.#bitmap = new PortBitmap(installed);
    for (const port of this.#bitmap.ports('frontends'))
      this.#users.set(port, { servicePortIds: new Set(servicePortIds), idleSince: now });
  }

  addFrontend(port: number, servicePortId: number): void {
    const users = this.#users.get(port) ?? { servicePortIds: new Set<number>(), idleSince: 0 };
    users.servicePortIds.add(servicePortId);
    this.#users.set(port, users);
    this.#bitmap.set('frontends', port);
  }

  addBackend(port: number): void {
    this.#bitmap.set('backends', port);
  }

  /** Clears the bits of unneeded ports. The port of a frontend is needed until its last flow ends. */
  clearUnused({ now, frontendPorts, backends, flows }: PortNeeds): void {
    const backendPorts = new Set(backends.map(({ port }) => port));
    for (const port of this.#bitmap.ports('backends'))
      if (!backendPorts.has(port)) this.#bitmap.clear('backends', port);
    const withSlots = new Set(backends.map(({ svc }) => svc));
    for (const [port, users] of [...this.#users]) {
      if (frontendPorts.has(port)) users.idleSince = 0;
      else if (users.idleSince === 0) users.idleSince = now;
      if (users.idleSince === 0) continue;
      const isCounted = flows !== undefined && flows.at > users.idleSince;
      const mayHaveFlows = (id: number) => withSlots.has(id) && (!isCounted || flows.servicePortIds.has(id));
      if ([...users.servicePortIds].some(mayHaveFlows)) continue;
      this.#users.delete(port);
      this.#bitmap.clear('frontends', port);
    }
  }

  /** Returns requests for the words that changed since the last call. */
  takeWrites(): string[] {
    return this.#bitmap.takeWrites();
  }
}
