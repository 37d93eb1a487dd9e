// LIST requests: complete, or in pages of one consistent state.

import type { Collection, StoredObject } from './collection.ts';
import type { Selector } from './selectors.ts';

/** The continue token of a request has expired or is unknown. */
export class ExpiredToken extends Error {}

interface Snapshot {
  readonly version: number;
  readonly left: readonly StoredObject[];
}

export class Lists {
  readonly #snapshots = new Map<string, Snapshot>();
  #tokens = 0;

  /** The JSON of a List object. Throws {@link ExpiredToken}. */
  answer(collection: Collection, { query, selector, version }: ListRequest): string {
    const token = query.get('continue');
    const limit = Number(query.get('limit') ?? '0') || Number.POSITIVE_INFINITY;
    const snapshot = token === null ? { version, left: collection.all().filter(selector) } : this.#snapshots.get(token);
    if (snapshot === undefined) throw new ExpiredToken('The provided continue parameter is too old');
    const remaining = snapshot.left.slice(limit);
    const next =
      remaining.length === 0
        ? {}
        : { continue: this.#keep({ ...snapshot, left: remaining }), remainingItemCount: remaining.length };
    const { kind, apiVersion } = collection;
    const metadata = { resourceVersion: String(snapshot.version), ...next };
    const head = JSON.stringify({ kind: `${kind}List`, apiVersion, metadata }).slice(0, -1);
    const page = snapshot.left.slice(0, limit).map(({ json }) => json);
    return `${head},"items":[${page.join(',')}]}`;
  }

  expireTokens(): void {
    this.#snapshots.clear();
  }

  #keep(snapshot: Snapshot): string {
    const token = Buffer.from(`token ${++this.#tokens}`).toString('base64url');
    this.#snapshots.set(token, snapshot);
    return token;
  }
}

export interface ListRequest {
  readonly query: URLSearchParams;
  readonly selector: Selector;
  readonly version: number;
}
