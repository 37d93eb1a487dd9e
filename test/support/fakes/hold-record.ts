// A record of holds that keeps in memory what it is given.

import type { HoldRecord } from '../../../src/sources/guard/start-hold.ts';

/** `heldMs` is what an earlier daemon has left. `calls` are the calls so far, such as `save 10000`. */
export function holdRecord(heldMs?: number): HoldRecord & { readonly calls: readonly string[] } {
  const calls: string[] = [];
  return { heldMs, calls, save: (ms) => void calls.push(`save ${ms}`), clear: () => void calls.push('clear') };
}
