// The frontends in the maps.

import type { Protocol } from '../../net/protocol.ts';
import type { FrontendKey, FrontendValue } from './entries.ts';
import { deleteFrontend, putFrontend } from './requests.ts';

export interface FrontendEntry {
  readonly key: FrontendKey;
  readonly value: FrontendValue;
}

/** Identifies a frontend in a Map or Set. */
export function frontendId(key: Omit<FrontendKey, 'protocol'> & { readonly protocol: Protocol }): string {
  const { address, port, protocol } = key;
  return `${address} ${port} ${protocol}`;
}

/** Keeps the frontends last written. */
export class FrontendTable {
  #entries: ReadonlyMap<string, FrontendEntry>;

  constructor(installed: readonly FrontendEntry[]) {
    this.#entries = new Map(installed.map((entry) => [frontendId(entry.key), entry]));
  }

  get entries(): Iterable<FrontendEntry> {
    return this.#entries.values();
  }

  get(key: FrontendKey): FrontendValue | undefined {
    return this.#entries.get(frontendId(key))?.value;
  }

  /** Slots that any frontend refers to. */
  get slots(): Set<number> {
    return new Set([...this.#entries.values()].flatMap(({ value }) => value.slots));
  }

  /** Takes over the next frontends, and returns the requests: deletions, then additions and changes. */
  replace(next: readonly FrontendEntry[]): string[] {
    const before = this.#entries;
    this.#entries = new Map(next.map((entry) => [frontendId(entry.key), entry]));
    const removed = [...before].filter(([id]) => !this.#entries.has(id));
    const changed = [...this.#entries].filter(([id, { value }]) => !isSame(before.get(id)?.value, value));
    return [
      ...removed.map(([, { key }]) => deleteFrontend(key)),
      ...changed.map(([, { key, value }]) => putFrontend(key, value)),
    ];
  }
}

function isSame(before: FrontendValue | undefined, after: FrontendValue): boolean {
  if (before === undefined || before.svc !== after.svc || before.suspended !== after.suspended) return false;
  return before.slots.length === after.slots.length && before.slots.every((slot, i) => slot === after.slots[i]);
}
