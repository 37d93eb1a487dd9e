// The state of a reflector, for metrics and `inspect`.

import type { Kind } from '../../services/objects/kinds.ts';

interface ReflectorFailure {
  /** When the first attempt in a row failed, in milliseconds since 1970. */
  readonly since: number;
  /** Of the last attempt. */
  readonly reason: string;
  /** The HTTP status; absent without a response. */
  readonly status?: number;
}

export interface ReflectorState {
  readonly kind: Kind;
  readonly phase: 'connecting' | 'listing' | 'watching' | 'waiting';
  /** Of the last list, event or bookmark; empty before a list. */
  readonly resourceVersion: string;
  /** Complete lists, opened watches, and events other than initial events and bookmarks. */
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  /** Reported failures. */
  readonly failures: number;
  /** Until the next connection. */
  readonly lastError?: string;
  /** Since lists and watches fail, until data arrives again. */
  readonly failing?: ReflectorFailure;
  /** The last failure other than silence, in milliseconds since 1970: since then, data may have been missing for that reason. */
  readonly failedAt?: number;
  /** The server does not know the kind. */
  readonly isNotServed?: boolean;
  /** The time of the last accepted request, in milliseconds since 1970. */
  readonly connectedAt?: number;
  /** The time of the last list, event or bookmark, in milliseconds since 1970. */
  readonly lastReceivedAt?: number;
}

export function initialState(kind: Kind): ReflectorState {
  return { kind, phase: 'connecting', resourceVersion: '', lists: 0, watches: 0, events: 0, failures: 0 };
}

interface Attempt {
  readonly reason: string;
  /** The HTTP status; absent without a response. */
  readonly status?: number;
  /** The watch was open, and nothing arrived. */
  readonly isSilence: boolean;
  /** The attempt had succeeded before it failed. */
  readonly hadSucceeded: boolean;
  readonly now: number;
}

/** The state after a failed attempt. A silent watch is opened again immediately, and is not a failure of the connection. */
export function afterFailure(state: ReflectorState, attempt: Attempt): ReflectorState {
  const { isSilence, hadSucceeded, now, ...cause } = attempt;
  const failure = { since: (hadSucceeded ? undefined : state.failing?.since) ?? now, ...cause };
  const failing = isSilence && state.lastReceivedAt !== undefined ? {} : { failing: failure, failedAt: now };
  return { ...state, phase: 'waiting', lastError: cause.reason, ...failing, failures: state.failures + 1 };
}
