// Assigns numbers to Service ports. The frontends and backends of a Service port share its number.

/** A number that a previous process assigned. */
interface InstalledServicePortId {
  readonly servicePort: string;
  readonly id: number;
}

export class ServicePortIds {
  readonly #ids = new Map<string, number>();
  #last: number;

  /** `installed` are all numbers in the maps. */
  constructor(installed: readonly number[]) {
    this.#last = installed.reduce((a, b) => Math.max(a, b), 0);
  }

  /** Keeps the installed numbers of Service ports that have none yet. The first of two with the same number keeps it. */
  adopt(installed: readonly InstalledServicePortId[]): void {
    const taken = new Set(this.#ids.values());
    for (const { servicePort, id } of installed) {
      if (taken.has(id) || this.#ids.has(servicePort)) continue;
      this.#ids.set(servicePort, id);
      taken.add(id);
    }
  }

  /** Returns the number of a Service port, and assigns one if needed. */
  idOf(servicePort: string): number {
    const id = this.#ids.get(servicePort) ?? ++this.#last;
    this.#ids.set(servicePort, id);
    return id;
  }
}
