// The identity of a chain, set or map in our tables.

import type { Family } from '../../net/family.ts';

export interface ObjectRef {
  readonly family: Family;
  readonly name: string;
}

/** A reference as a map key, and as nft prints it: `ip services`. It is never parsed: keep the reference beside it. */
export type RefKey = `${Family} ${string}`;

export function refKey({ family, name }: ObjectRef): RefKey {
  return `${family} ${name}`;
}
