// Numbers of Service ports: what a frontend shares with its backends.

/** A number that a Service port had before this process started. */
export interface InstalledServicePortId {
  readonly servicePort: string;
  readonly id: number;
}

export class ServicePortIds {
  readonly #ids = new Map<string, number>();
  #last: number;

  /** `installed` are the numbers in use, of whatever Service ports. */
  constructor(installed: readonly number[]) {
    this.#last = installed.reduce((a, b) => Math.max(a, b), 0);
  }

  /** Keeps the installed number of each Service port that has none yet. Of two with the same number the first keeps it. */
  adopt(installed: readonly InstalledServicePortId[]): void {
    const taken = new Set(this.#ids.values());
    for (const { servicePort, id } of installed) {
      if (taken.has(id) || this.#ids.has(servicePort)) continue;
      this.#ids.set(servicePort, id);
      taken.add(id);
    }
  }

  /** The number of a Service port; a new one where it has none. */
  idOf(servicePort: string): number {
    const id = this.#ids.get(servicePort) ?? ++this.#last;
    this.#ids.set(servicePort, id);
    return id;
  }
}
