// How the test server behaves until told otherwise.
import type { Kind } from '../../../src/services/objects/kinds.ts';

/** May be changed at any time; watches that are open already see it too. */
export interface ServerSettings {
  /** Streaming lists: served, refused as invalid (a server with the feature off), or the parameter is not known. */
  watchList: 'serve' | 'refuse' | 'ignore';
  chunks: 'whole' | 'awkward';
  /** Answer lists in one piece whatever limit is asked for, as servers do from their cache. */
  ignoreLimit: boolean;
  /** Milliseconds between bookmarks. */
  bookmarkMs: number;
  /** Kinds that this server has not heard of. */
  readonly unknownKinds: Set<Kind>;
}

export function defaultSettings(): ServerSettings {
  return { watchList: 'serve', chunks: 'whole', ignoreLimit: false, bookmarkMs: 60_000, unknownKinds: new Set() };
}
