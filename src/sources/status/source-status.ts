// How current the objects of a source are, as ages in milliseconds: an age does not depend on the wall clock.

import { printDuration } from '../../lib/duration.ts';

/** The state of one kind, or of the manifests. */
export interface ResourceStatus {
  readonly resource: string;
  /** Since its last list, event or bookmark, or since the last complete scan of manifests; absent before the first. */
  readonly contactMs?: number;
}

/**
 * What makes the objects old, or keeps them from being complete:
 *
 * - `unreachable`: no response, for any kind
 * - `failing`: requests of one kind fail, or manifests cannot be read
 * - `silent`: a watch is open, and not even bookmarks arrive
 * - `waiting`: a kind has not been received since the daemon started, and nothing has failed
 * - `kept`: objects are kept although the source does not have them any more
 */
export interface SourceProblem {
  readonly cause: 'unreachable' | 'failing' | 'silent' | 'waiting' | 'kept';
  /** The API server, the kind or the directory that has it. */
  readonly subject: string;
  readonly forMs: number;
  readonly reason?: string;
}

export interface SourceStatus {
  /** Such as `API server https://10.0.0.1:6443`. */
  readonly name: string;
  /** Since anything was received from it; absent before. */
  readonly contactMs?: number;
  readonly resources: readonly ResourceStatus[];
  /** The worst first. */
  readonly problems: readonly SourceProblem[];
}

/** One problem for an operator, such as `API server unreachable for 2h13m: connection refused`. */
export function describeSourceProblem({ cause, subject, forMs, reason }: SourceProblem): string {
  const verb = {
    unreachable: 'unreachable for',
    failing: 'failing for',
    silent: 'silent for',
    waiting: 'awaited for',
    kept: 'kept as last known for',
  };
  return `${subject} ${verb[cause]} ${printDuration(forMs)}${reason === undefined ? '' : `: ${reason}`}`;
}

/** The age of the youngest of some resources; `undefined` if none has been received. */
export function youngestMs(resources: readonly ResourceStatus[]): number | undefined {
  const ages = resources.flatMap(({ contactMs }) => (contactMs === undefined ? [] : [contactMs]));
  return ages.length === 0 ? undefined : Math.min(...ages);
}
