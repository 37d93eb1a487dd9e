// References to chains, sets and maps, from their keys.

import type { ObjectRef, RefKey } from '../../../src/nftables/syntax/object-ref.ts';

/** The references by key, in this order. */
export function objectRefs(...keys: readonly RefKey[]): Map<RefKey, ObjectRef> {
  return new Map(
    keys.map((key) => [key, { family: key.startsWith('ip6 ') ? 'ip6' : 'ip', name: key.slice(key.indexOf(' ') + 1) }]),
  );
}
