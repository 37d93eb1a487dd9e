// What a reflector is doing: for metrics and for people.
import type { Kind } from '../../services/objects/kinds.ts';

export interface ReflectorState {
  readonly kind: Kind;
  readonly phase: 'connecting' | 'listing' | 'watching' | 'waiting';
  /** Of the last list, event or bookmark; empty when the next thing to do is a list. */
  readonly resourceVersion: string;
  /** Complete lists delivered, watches opened, events delivered (initial ones and bookmarks not counted). */
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  /** Attempts that ended in a failure worth a complaint. */
  readonly failures: number;
  /** What is wrong at present. */
  readonly lastError?: string;
  /** When the server last accepted a request, milliseconds since 1970. */
  readonly connectedAt?: number;
  /** When the last list, event or bookmark came, milliseconds since 1970. */
  readonly lastReceivedAt?: number;
}

export function initialState(kind: Kind): ReflectorState {
  return { kind, phase: 'connecting', resourceVersion: '', lists: 0, watches: 0, events: 0, failures: 0 };
}
