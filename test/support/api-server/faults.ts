// What a test server can do wrong.
import type { Kind } from '../../../src/services/objects/kinds.ts';

export type RequestType = 'list' | 'watch';

interface FaultScope {
  /** Which requests; all when absent. */
  readonly on?: RequestType;
  readonly kind?: Kind;
  /** How many requests, 1 when absent; `Infinity` for all from now on. */
  readonly times?: number;
}

/** Instead of an answer, or in place of the line number `afterLines` (counted from 0) of a watch. */
export type Fault = FaultScope &
  (
    | { readonly action: 'answer'; readonly status: number; readonly message?: string; readonly headers?: Headers }
    /** Takes the request and never answers. */
    | { readonly action: 'hang' }
    /** Cuts the connection before an answer. */
    | { readonly action: 'drop' }
    | StreamFault
  );

/**
 * `silent` sends nothing more, `cut` breaks off in the middle of a line, `garbage` sends a line that is not JSON, `end`
 * ends the answer properly, `error` sends an ERROR event and ends.
 */
export type StreamFault =
  | { readonly action: 'silent' | 'cut' | 'garbage' | 'end'; readonly afterLines: number }
  | { readonly action: 'error'; readonly afterLines: number; readonly status: number; readonly message?: string };

type Headers = Readonly<Record<string, string>>;

/** Misbehaviours that are still to come, in the order in which they were asked for. */
export class FaultQueue {
  #pending: { misbehaviour: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#pending.push({ misbehaviour: fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#pending = [];
  }

  /** The one for this request, which is then used up by one time. */
  take(type: RequestType, kind: Kind): Fault | undefined {
    const found = this.#pending.find(
      ({ misbehaviour: { on = type, kind: only = kind } }) => on === type && only === kind,
    );
    if (found === undefined) return undefined;
    if (--found.left <= 0) this.#pending.splice(this.#pending.indexOf(found), 1);
    return found.misbehaviour;
  }
}
