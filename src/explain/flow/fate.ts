// What becomes of a flow, in a form in which what should happen and what does can be compared.
import type { Address } from '../../net/address.ts';

/** `untouched` is left to the host: routed, or delivered, as if there were no proxy. */
export type Outcome = 'forward' | 'refuse' | 'drop' | 'untouched';

/** An endpoint that the flow can be led to. */
export interface Landing {
  readonly address: Address;
  readonly port: number;
  /** The part of flows that get it, from 0 to 1. */
  readonly share: number;
  /** The endpoint sees an address of this node instead of the client's. */
  readonly masquerade: boolean;
}

export interface Fate {
  readonly outcome: Outcome;
  /** Sorted by address and port; empty unless the flow is forwarded. */
  readonly landings: readonly Landing[];
}

/** Slots of a consistent choice give shares that are nearly, not exactly, those of the weights. */
const SHARE_TOLERANCE = 0.02;

/** Puts landings in order, one for each endpoint and way of seeing the client. */
export function sortLandings(landings: readonly Landing[]): Landing[] {
  const merged = new Map<string, Landing>();
  for (const landing of landings) {
    const name = `${landing.address} ${landing.port} ${landing.masquerade}`;
    merged.set(name, { ...landing, share: landing.share + (merged.get(name)?.share ?? 0) });
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, landing]) => landing);
}

/** In what two fates differ, in words; empty when they are the same. `a` and `b` name their tellers. */
export function differencesOf(one: Fate, other: Fate, { a, b }: { a: string; b: string }): string[] {
  if (one.outcome !== other.outcome) return [`${a}: ${one.outcome}, ${b}: ${other.outcome}`];
  const theirs = new Map(other.landings.map((landing) => [nameOf(landing), landing]));
  const ours = new Set(one.landings.map(nameOf));
  const found: string[] = [];
  for (const landing of one.landings) {
    const match = theirs.get(nameOf(landing));
    if (match === undefined) found.push(`only ${a} leads to ${nameOf(landing)}`);
    else if (Math.abs(match.share - landing.share) > SHARE_TOLERANCE)
      found.push(`share of ${nameOf(landing)} is ${landing.share} for ${a}, ${match.share} for ${b}`);
  }
  for (const name of theirs.keys()) if (!ours.has(name)) found.push(`only ${b} leads to ${name}`);
  return found;
}

function nameOf({ address, port, masquerade }: Landing): string {
  const endpoint = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return masquerade ? `${endpoint} (masqueraded)` : endpoint;
}
