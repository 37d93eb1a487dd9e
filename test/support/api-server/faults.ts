// Faults of the test server.

import type { Kind } from '../../../src/services/objects/kinds.ts';

export type RequestType = 'list' | 'watch';

interface FaultScope {
  /** The requests that are affected; the default is all. */
  readonly on?: RequestType;
  readonly kind?: Kind;
  /** The number of requests; the default is 1, and `Infinity` affects all. */
  readonly times?: number;
}

/** Replaces a response, or the line number `afterLines` (counted from 0) of a watch. */
export type Fault = FaultScope &
  (
    | { readonly action: 'answer'; readonly status: number; readonly message?: string; readonly headers?: Headers }
    /** Accepts the request and never responds. */
    | { readonly action: 'hang' }
    /** Closes the connection without a response. */
    | { readonly action: 'drop' }
    | StreamFault
  );

/**
 * `silent` stops sending data, `cut` closes the connection inside a line, `garbage` sends a line that is not JSON, `end`
 * ends the response, and `error` sends an ERROR event and ends the response.
 */
export type StreamFault =
  | { readonly action: 'silent' | 'cut' | 'garbage' | 'end'; readonly afterLines: number }
  | { readonly action: 'error'; readonly afterLines: number; readonly status: number; readonly message?: string };

type Headers = Readonly<Record<string, string>>;

/** The faults that have not occurred yet, in order. */
export class FaultQueue {
  #pending: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#pending.push({ fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#pending = [];
  }

  /** Takes the fault for this request. */
  take(type: RequestType, kind: Kind): Fault | undefined {
    const found = this.#pending.find(({ fault: { on = type, kind: only = kind } }) => on === type && only === kind);
    if (found === undefined) return undefined;
    if (--found.left <= 0) this.#pending.splice(this.#pending.indexOf(found), 1);
    return found.fault;
  }
}
