// The result of one path of a packet, and the choices on it.

import type { RulesetElement } from '../ruleset/ruleset.ts';
import type { TracedPacket } from './traced-packet.ts';

/** A rule that matched and had an effect. */
export interface TraceStep {
  readonly hook: string;
  readonly chain: string;
  /** In nft syntax. */
  readonly rule: string;
  /** The element found by a lookup, in nft syntax. */
  readonly element: string | undefined;
}

/** One possible result of a lookup, and the number of random values that give it. */
export interface LookupResult {
  readonly element: RulesetElement | undefined;
  readonly count: number;
}

/** Chooses one of the possible results. */
export type ChooseLookup = (results: readonly LookupResult[]) => LookupResult;

export interface WalkResult {
  readonly end: 'refuse' | 'drop' | 'through';
  readonly packet: TracedPacket;
  readonly steps: readonly TraceStep[];
  /** Rules that cannot be evaluated and may change the result. */
  readonly concerns: ReadonlySet<string>;
  /** The endpoints that the client has in maps of session affinity, as `address . port`, by map. They are not followed. */
  readonly affinityEntries: ReadonlyMap<string, string>;
}
