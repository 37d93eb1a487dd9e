// Where objects go, whatever source they come from: an API server, a directory of manifests, a test.
import type { Kind, KindMap } from './kinds.ts';
import type { ReadResult } from './read.ts';

/** A source tells the sink what there is. Every object comes with the issues of its reading. */
export interface Sink {
  /** The complete list of a kind: whatever is not in it is gone. The first call for a kind says that it is known. */
  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void;
  /**
   * One object of a first list that is not complete yet; `replace` will bring the same object again. A sink may use the
   * time to prepare for it.
   */
  preview?<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void;
  /** One object is new or has changed. */
  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void;
  /** One object is gone. */
  remove(kind: Kind, key: string): void;
}
