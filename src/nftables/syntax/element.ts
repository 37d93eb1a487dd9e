// Elements of sets and maps: the only thing that a Service becomes in the kernel.
import type { ObjectRef } from './object-ref.ts';

/** A set, or a map, of one of our tables. */
export interface SetOrMap extends ObjectRef {
  readonly kind: 'set' | 'map';
  /** The declaration's body as nft reads it: `typeof ...; counter;`. */
  readonly body: string;
  /** Keys hold prefixes. The kernel refuses one that overlaps another, so what goes has to go first. */
  readonly interval: boolean;
}

/** One element. Texts are exactly those that a listing gives back, so that both can be compared. */
export interface Element {
  readonly object: SetOrMap;
  readonly key: string;
  /** What the key maps to (`10.1.1.3 . 8080`, `goto cluster-3`, `drop`); empty for an element of a set. */
  readonly data: string;
  /** Who it belongs to, for the person who lists the map: `namespace/name:port`. */
  readonly comment: string;
  /** The Service (`namespace/name`) that asked for it; empty for what belongs to the node. */
  readonly owner: string;
}

/**
 * Parts of a concatenated key or value, in nft's own notation. Joined, not added up: V8 keeps a sum of strings as a tree
 * of its parts, at several times the memory.
 */
export function concat(...parts: readonly (string | number)[]): string {
  return parts.join(' . ');
}

/** The chain that a verdict leads to; `undefined` for a verdict that ends the walk, and for data of other maps. */
export function verdictChain(data: string): string | undefined {
  return data.startsWith('goto ') ? data.slice('goto '.length) : undefined;
}

/** nft keeps comments of at most 128 bytes, its terminating zero included (NFTNL_UDATA_COMMENT_MAXLEN). */
const COMMENT_MAX = 127;

/**
 * A comment that cannot leave its quotes: names are checked when they are read, and whatever else comes here loses
 * every character that is not part of a name.
 */
export function comment(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._:/ -]/g, '?').slice(0, COMMENT_MAX);
}
