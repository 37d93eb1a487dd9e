// The receiver of objects from a source: an API server, manifests or a test.

import type { Kind, KindMap } from './kinds.ts';
import type { ReadResult } from './read.ts';

/** A source calls these methods. */
export interface Sink {
  /** The complete list of a kind: other objects of the kind no longer exist. After the first call, the kind is known. */
  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void;
  /**
   * An object of the first list, before the list is complete. `replace` follows with the same object, for which the sink
   * can prepare.
   */
  preview?<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void;
  /** An object was added or changed. */
  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void;
  /** An object was deleted. */
  remove(kind: Kind, key: string): void;
}
