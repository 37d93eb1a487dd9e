// Resolves frontends that several Services claim: the oldest Service owns it, then the first by name.

import { compare } from '../../lib/compare.ts';

/** A Service, with the time and name that decide its precedence. */
interface Claimant {
  readonly key: string;
  readonly createdAt: number;
}

/** A frontend that several Services claim. */
export interface FrontendConflict {
  readonly frontend: string;
  readonly winner: string;
  readonly losers: readonly string[];
}

/** All claims. Any string can identify a frontend; nearly all have a single claimant. */
export class FrontendClaims {
  readonly #claims = new Map<string, Claimant | readonly Claimant[]>();
  readonly #byClaimant = new Map<string, readonly string[]>();
  readonly #contested = new Set<string>();
  #conflicts: readonly FrontendConflict[] | undefined;

  /**
   * Replaces all frontends of the claimant. Returns the other Services that won or lost a frontend by this, and so must
   * be compiled again.
   */
  claim(claimant: Claimant, frontends: readonly string[]): Set<string> {
    const affected = new Set<string>();
    const before = this.#byClaimant.get(claimant.key) ?? [];
    const after = new Set(frontends);
    for (const frontend of before)
      if (!after.has(frontend)) this.#change(frontend, claimant, { keep: false, affected });
    for (const frontend of after) this.#change(frontend, claimant, { keep: true, affected });
    if (after.size > 0) this.#byClaimant.set(claimant.key, [...after]);
    else this.#byClaimant.delete(claimant.key);
    affected.delete(claimant.key);
    return affected;
  }

  /** Claims further frontends. The result is that of {@link claim}. */
  extend(claimant: Claimant, frontends: readonly string[]): Set<string> {
    return this.claim(claimant, [...(this.#byClaimant.get(claimant.key) ?? []), ...frontends]);
  }

  owns(frontend: string, key: string): boolean {
    return this.#claimantsOf(frontend)[0]?.key === key;
  }

  /** The frontends that more than one Service claims, sorted. The same list as before if none changed. */
  conflicts(): readonly FrontendConflict[] {
    this.#conflicts ??= [...this.#contested].sort(compare).map((frontend) => {
      const [winner, ...losers] = this.#claimantsOf(frontend).map((claimant) => claimant.key);
      return { frontend, winner: winner ?? '', losers };
    });
    return this.#conflicts;
  }

  #change(frontend: string, claimant: Claimant, to: { keep: boolean; affected: Set<string> }): void {
    const before = this.#claimantsOf(frontend);
    const others = before.filter((other) => other.key !== claimant.key);
    const after = to.keep ? [...others, claimant].sort(byPrecedence) : others;
    const [soleClaimant] = after;
    if (soleClaimant === undefined) this.#claims.delete(frontend);
    else this.#claims.set(frontend, after.length === 1 ? soleClaimant : after);
    if (before.length > 1 || after.length > 1) this.#conflicts = undefined;
    if (after.length > 1) this.#contested.add(frontend);
    else this.#contested.delete(frontend);
    if (before[0]?.key === after[0]?.key) return;
    for (const changed of [before[0], after[0]]) if (changed !== undefined) to.affected.add(changed.key);
  }

  #claimantsOf(frontend: string): readonly Claimant[] {
    const claims = this.#claims.get(frontend);
    if (claims === undefined) return [];
    return 'key' in claims ? [claims] : claims;
  }
}

function byPrecedence(a: Claimant, b: Claimant): number {
  return a.createdAt - b.createdAt || compare(a.key, b.key);
}
