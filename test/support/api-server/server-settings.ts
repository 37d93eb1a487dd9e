// The settings of the test server.

import type { Kind } from '../../../src/services/objects/kinds.ts';

/** Can be changed at any time, and also affect open watches. */
export interface ServerSettings {
  /** Streaming lists: served, rejected (a server with the feature disabled), or ignored (an older server). */
  watchList: 'serve' | 'refuse' | 'ignore';
  chunks: 'whole' | 'awkward';
  /** Ignores the page size of lists, as servers do for lists from their cache. */
  ignoreLimit: boolean;
  bookmarkMs: number;
  /** Kinds that the server does not serve. */
  readonly unknownKinds: Set<Kind>;
}

export function defaultSettings(): ServerSettings {
  return { watchList: 'serve', chunks: 'whole', ignoreLimit: false, bookmarkMs: 60_000, unknownKinds: new Set() };
}
