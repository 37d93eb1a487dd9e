// Something that an operator should find at the object that it is about.
import type { Kind } from '../services/objects/kinds.ts';

export interface Regarding {
  readonly kind: Kind;
  /** `namespace/name`, or `name` where there are no namespaces. */
  readonly key: string;
}

export interface EventSpec {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** One word in upper camel case, for machines. */
  readonly reason: string;
  /** What was done, or tried: likewise. */
  readonly action: string;
  /** A sentence for people. */
  readonly note: string;
  /** Whether other nodes see the same: then one Event stands for all of them. */
  readonly scope: 'node' | 'cluster';
}
