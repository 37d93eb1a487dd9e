// The objects of one kind on the test server, with the history of their changes.

import { asObject, asString } from '../../../../src/services/objects/read.ts';

/** An object of the API. */
export interface ApiObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
  };
  readonly [field: string]: unknown;
}

/** One version of an object, serialized once for all clients. */
export interface StoredObject {
  readonly key: string;
  readonly json: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The fields for field selectors. */
  readonly fields: Readonly<Record<string, string>>;
}

/** `previous` is `undefined` for a new object. For a deleted one, `current` is its last state with a new version. */
export interface Change {
  readonly version: number;
  readonly current: StoredObject;
  readonly previous: StoredObject | undefined;
  readonly isRemoval: boolean;
}

/** Older changes are discarded, as on a real server. */
const MAX_HISTORY = 100_000;

export class Collection {
  readonly kind: string;
  readonly apiVersion: string;
  readonly #entries = new Map<string, StoredObject>();
  readonly #listeners = new Set<() => void>();
  #history: Change[] = [];
  /** The position of the first change in the history, counted from the start of the server. */
  #trimmedCount = 0;
  /** Watches from an older version get 410. */
  #oldest = 0;

  constructor({ kind, apiVersion }: { kind: string; apiVersion: string }) {
    this.kind = kind;
    this.apiVersion = apiVersion;
  }

  /** All objects, sorted by key. */
  all(): StoredObject[] {
    return [...this.#entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  get(key: string): ApiObject | undefined {
    const stored = this.#entries.get(key);
    return stored === undefined ? undefined : JSON.parse(stored.json);
  }

  put(object: ApiObject, version: number): void {
    const current = this.#store(object, version);
    this.#record({ version, current, previous: this.#entries.get(current.key), isRemoval: false });
    this.#entries.set(current.key, current);
  }

  /** Does nothing if there is no such object. */
  remove(key: string, version: number): void {
    const previous = this.#entries.get(key);
    if (previous === undefined) return;
    this.#entries.delete(key);
    this.#record({ version, current: this.#store(JSON.parse(previous.json), version), previous, isRemoval: true });
  }

  /** The position of the first change after a version; `undefined` if it was discarded. */
  positionAfter(version: number): number | undefined {
    if (version < this.#oldest) return undefined;
    let index = this.#history.length;
    while (index > 0 && (this.#history[index - 1]?.version ?? 0) > version) index--;
    return this.#trimmedCount + index;
  }

  /** The position of the next change. */
  get end(): number {
    return this.#trimmedCount + this.#history.length;
  }

  /** Changes from a position, at most `limit`; `undefined` if they were discarded. */
  changes(position: number, limit: number): readonly Change[] | undefined {
    const index = position - this.#trimmedCount;
    return index < 0 ? undefined : this.#history.slice(index, index + limit);
  }

  /** Discards all objects without a change that watches could see, as a restored database does. */
  forget(): void {
    this.#entries.clear();
    this.compact(0);
  }

  /** Discards the history up to a version. */
  compact(version: number): void {
    this.#trimmedCount += this.#history.length;
    this.#history = [];
    this.#oldest = version;
  }

  /** Calls back after every change. Returns a function that ends the subscription. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #store(object: ApiObject, version: number): StoredObject {
    const { metadata } = object;
    const { name, namespace = '', labels = {} } = metadata;
    const creationTimestamp = metadata.creationTimestamp ?? '2026-01-01T00:00:00Z';
    const head = { kind: this.kind, apiVersion: this.apiVersion };
    const meta = { ...metadata, uid: `uid-${namespace}-${name}`, creationTimestamp, resourceVersion: String(version) };
    return {
      key: namespace === '' ? name : `${namespace}/${name}`,
      json: JSON.stringify({ ...head, ...object, metadata: meta }),
      labels,
      fields: {
        'metadata.name': name,
        'metadata.namespace': namespace,
        'spec.clusterIP': asString(asObject(object['spec'])['clusterIP']),
      },
    };
  }

  #record(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > MAX_HISTORY) {
      const cut = this.#history.splice(0, MAX_HISTORY / 2);
      this.#trimmedCount += cut.length;
      this.#oldest = cut.at(-1)?.version ?? this.#oldest;
    }
    for (const listener of this.#listeners) listener();
  }
}
