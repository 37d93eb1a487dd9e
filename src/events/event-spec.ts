// An Event, independent of the API.

import type { Kind } from '../services/objects/kinds.ts';

export interface Regarding {
  readonly kind: Kind;
  /** `namespace/name`, or `name` for a cluster-scoped object. */
  readonly key: string;
}

export interface EventSpec {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** Upper camel case, for programs. */
  readonly reason: string;
  /** What nftlane did or tried, in upper camel case. */
  readonly action: string;
  /** A message for operators. */
  readonly note: string;
  /** `cluster`: all nodes see the same, and share one Event. */
  readonly scope: 'node' | 'cluster';
}
