// Sets, maps and their elements. A Service consists of elements only, never of rules of its own.

import { type ObjectRef, refKey } from './object-ref.ts';

/** A set or map in one of our tables. */
export interface SetOrMap extends ObjectRef {
  readonly kind: 'set' | 'map';
  /** The body of its declaration: `typeof ...; counter;`. */
  readonly body: string;
  /** Keys contain prefixes. The kernel refuses overlapping ones, so deletions must precede additions. */
  readonly interval: boolean;
}

/** One element. Its texts are exactly those of a listing, so that both can be compared. */
export interface Element {
  readonly object: SetOrMap;
  readonly key: string;
  /** The value (`10.1.1.3 . 8080`, `goto cluster-3`, `drop`); empty for an element of a set. */
  readonly data: string;
  /** The Service port, for operators who list the map: `namespace/name:port`. */
  readonly comment: string;
  /** The Service (`namespace/name`) that it was compiled from; empty for elements of the node. */
  readonly owner: string;
}

/** Identifies an element among those of all sets and maps. */
export function elementKey({ object, key }: Pick<Element, 'object' | 'key'>): string {
  return `${refKey(object)} ${key}`;
}

/**
 * A concatenated key or value in nft syntax. `join` is deliberate: V8 keeps a sum of strings as a tree of its parts,
 * which takes several times the memory.
 */
export function concat(...parts: readonly (string | number)[]): string {
  return parts.join(' . ');
}

/** The target chain of a `goto` verdict; `undefined` for other verdicts and other values. */
export function verdictChain(data: string): string | undefined {
  return data.startsWith('goto ') ? data.slice('goto '.length) : undefined;
}

/** The limit of nft is 128 bytes with the terminating zero (NFTNL_UDATA_COMMENT_MAXLEN). */
const COMMENT_MAX = 127;

/**
 * A comment that cannot end its quoted string: characters that do not occur in names are replaced, although names were
 * validated when they were read.
 */
export function comment(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._:/ -]/g, '?').slice(0, COMMENT_MAX);
}

/** The Service of the comment of an element: `namespace/name`, without the port. */
export function serviceOf(comment: string): string {
  const end = comment.indexOf(':');
  return end < 0 ? comment : comment.slice(0, end);
}
