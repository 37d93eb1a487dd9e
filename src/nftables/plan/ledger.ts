// The desired elements with their owners, and the keys whose installed element differs.

import { compare } from '../../lib/compare.ts';
import { inSteps, type Steps } from '../../lib/steps.ts';
import { type Element, elementKey, type SetOrMap, verdictChain } from '../syntax/element.ts';
import type { ElementListing, InstalledElement } from '../syntax/kernel-listing.ts';
import { type ObjectRef, type RefKey, refKey } from '../syntax/object-ref.ts';

/** A difference between the installed and the desired element of a key. At least one of them is defined. */
export interface Change {
  readonly object: SetOrMap;
  readonly key: string;
  readonly installed: InstalledElement | undefined;
  readonly desired: Element | undefined;
}

/** Several owners may claim the same element of a shared set; nearly all elements have one owner. */
type Claims = Element | readonly Element[];

interface SetState {
  readonly object: SetOrMap;
  readonly claims: Map<string, Claims>;
  /** The keys whose desired element differs from the installed one, with the installed one. */
  readonly differing: Map<string, InstalledElement | undefined>;
}

/**
 * Stores every desired element once. The installed elements are not stored, only the differences to them since the last
 * commit, so the memory and time that an event takes are proportional to its size.
 */
export class Ledger {
  readonly #states: ReadonlyMap<SetOrMap, SetState>;
  readonly #byOwner = new Map<string, readonly Element[]>();
  /** The chains that desired elements refer to. */
  readonly #targets = new Map<RefKey, ObjectRef>();
  /** How many elements refer to each of them. */
  readonly #targetCounts = new Map<RefKey, number>();

  constructor(objects: readonly SetOrMap[]) {
    this.#states = new Map(objects.map((object) => [object, { object, claims: new Map(), differing: new Map() }]));
  }

  /** The elements of an owner. */
  elementsOf(owner: string): readonly Element[] {
    return this.#byOwner.get(owner) ?? [];
  }

  /** Takes these as the elements of the owner. They must be those that {@link replace} has set. */
  setOwned(owner: string, elements: readonly Element[]): void {
    if (elements.length > 0) this.#byOwner.set(owner, elements);
    else this.#byOwner.delete(owner);
  }

  /** Replaces all elements of the owner. */
  setElements(owner: string, elements: readonly Element[]): void {
    const before = this.#byOwner.get(owner);
    this.setOwned(owner, elements);
    if (before === undefined) {
      for (const element of elements) this.replace(undefined, element);
      return;
    }
    const unchangedKeys = sameKeys(before, elements);
    for (let index = 0; index < unchangedKeys; index++) this.replace(before[index], elements[index]);
    if (unchangedKeys === before.length && unchangedKeys === elements.length) return;
    const remaining = new Map(before.slice(unchangedKeys).map((element) => [elementKey(element), element]));
    for (const element of elements.slice(unchangedKeys)) {
      const previous = remaining.get(elementKey(element));
      remaining.delete(elementKey(element));
      this.replace(previous, element);
    }
    for (const element of remaining.values()) this.replace(element, undefined);
  }

  /** The `data` of a frontend's slots, from slot 0 on. */
  slots(object: SetOrMap, key: string): Iterable<string> {
    const { claims } = this.#stateOf(object);
    return slotsFrom((slotKey) => {
      const claim = claims.get(slotKey);
      return claim === undefined ? undefined : effectiveClaim(claim);
    }, key);
  }

  get isEmpty(): boolean {
    return this.#byOwner.size === 0;
  }

  /** The differences between installed and desired elements, in any order; `includes` selects sets and maps. */
  *changes(includes: (object: SetOrMap) => boolean = () => true): Generator<Change> {
    for (const { object, claims, differing } of this.#states.values()) {
      if (!includes(object)) continue;
      for (const [key, installed] of differing) {
        const claim = claims.get(key);
        yield { object, key, installed, desired: claim === undefined ? undefined : effectiveClaim(claim) };
      }
    }
  }

  /** Records that the kernel has applied these changes. */
  committed(changes: Iterable<Change>): void {
    for (const { object, key } of changes) this.#stateOf(object).differing.delete(key);
  }

  /** Takes the listing as the installed elements: every difference to it becomes a change. */
  *rebase(listing: ElementListing): Steps<void> {
    for (const { object, claims, differing } of this.#states.values()) {
      differing.clear();
      const installed = listing.get(refKey(object)) ?? new Map<string, InstalledElement>();
      yield* inSteps(claims, ([key, claim]) => {
        const current = installed.get(key);
        if (!isSame(current, effectiveClaim(claim))) differing.set(key, current);
      });
      yield* inSteps(installed, ([key, current]) => {
        if (!claims.has(key)) differing.set(key, current);
      });
    }
  }

  /** Records that another process added or replaced an installed element, or deleted it (`undefined`). */
  observe(object: SetOrMap, key: string, installed: InstalledElement | undefined): void {
    const { claims, differing } = this.#stateOf(object);
    const claim = claims.get(key);
    if (isSame(installed, claim === undefined ? undefined : effectiveClaim(claim))) differing.delete(key);
    else differing.set(key, installed);
  }

  /** Records that another process deleted all elements of a set or map. */
  observeEmpty(object: SetOrMap): void {
    const { claims, differing } = this.#stateOf(object);
    differing.clear();
    for (const key of claims.keys()) differing.set(key, undefined);
  }

  /** The known installed element of a key; `undefined` if there is none. */
  installed(object: SetOrMap, key: string): InstalledElement | undefined {
    const { claims, differing } = this.#stateOf(object);
    if (differing.has(key)) return differing.get(key);
    const claim = claims.get(key);
    return claim === undefined ? undefined : effectiveClaim(claim);
  }

  /** The keys that may have an installed element. */
  *installedKeys(object: SetOrMap): Generator<string> {
    const { claims, differing } = this.#stateOf(object);
    yield* claims.keys();
    for (const key of differing.keys()) if (!claims.has(key)) yield key;
  }

  /** The number of installed elements. */
  installedCount(object: SetOrMap): number {
    const { claims, differing } = this.#stateOf(object);
    let count = claims.size;
    for (const [key, installed] of differing) {
      if (claims.has(key) && installed === undefined) count--;
      else if (!claims.has(key) && installed !== undefined) count++;
    }
    return count;
  }

  /** The chains that desired elements refer to, in no particular order. */
  get targetChains(): ReadonlyMap<RefKey, ObjectRef> {
    return this.#targets;
  }

  /** The desired elements of a set or map, sorted by key. */
  elements(object: SetOrMap): Element[] {
    return [...this.#stateOf(object).claims.values()].map(effectiveClaim).sort((a, b) => compare(a.key, b.key));
  }

  /** The number of desired elements in a set or map. */
  size(object: SetOrMap): number {
    return this.#stateOf(object).claims.size;
  }

  #stateOf(object: SetOrMap): SetState {
    const state = this.#states.get(object);
    if (state === undefined) throw new Error(`Invariant broken: no object "${refKey(object)}"`);
    return state;
  }

  /** Replaces an element of an owner by another with the same key; one of them may be missing. See {@link setOwned}. */
  replace(before: Element | undefined, after: Element | undefined): void {
    const { object, key, owner } = before ?? after ?? unreachableClaim();
    const state = this.#stateOf(object);
    const claims = state.claims.get(key);
    if (claims === undefined && after !== undefined) {
      state.claims.set(key, after);
      this.#recordChange(state, key, { previous: undefined, current: after });
    } else if (claims !== undefined && after !== undefined && !isList(claims) && claims.owner === owner) {
      state.claims.set(key, after);
      if (!isSame(claims, after)) this.#recordChange(state, key, { previous: claims, current: after });
    } else if (claims !== undefined) {
      const others = toList(claims).filter((claim) => claim.owner !== owner);
      const remaining = after === undefined ? others : [...others, after].sort(byOwner);
      const [first] = remaining;
      if (first === undefined) state.claims.delete(key);
      else state.claims.set(key, remaining.length === 1 ? first : remaining);
      this.#recordChange(state, key, { previous: effectiveClaim(claims), current: first });
    }
  }

  /** Records that the desired element changed, or removes the record when it is the installed one again. */
  #recordChange(
    { object, differing }: SetState,
    key: string,
    { previous, current }: { previous: Element | undefined; current: Element | undefined },
  ): void {
    this.#countTarget(object, previous, -1);
    this.#countTarget(object, current, 1);
    const installed = differing.get(key) ?? (previous === undefined || differing.has(key) ? undefined : previous);
    if (isSame(installed, current)) differing.delete(key);
    else differing.set(key, installed === undefined ? undefined : { data: installed.data, comment: installed.comment });
  }

  #countTarget({ family }: SetOrMap, element: Element | undefined, delta: 1 | -1): void {
    const name = element === undefined ? undefined : verdictChain(element.data);
    if (name === undefined) return;
    const target = { family, name };
    const key = refKey(target);
    const count = (this.#targetCounts.get(key) ?? 0) + delta;
    if (count === 0) {
      this.#targets.delete(key);
      this.#targetCounts.delete(key);
    } else {
      if (!this.#targets.has(key)) this.#targets.set(key, target);
      this.#targetCounts.set(key, count);
    }
  }
}

/** The `data` of a frontend's slots in a listing, from slot 0 on. */
export function slotsIn(listing: ElementListing, object: SetOrMap, key: string): Iterable<string> {
  const elements = listing.get(refKey(object));
  return elements === undefined ? [] : slotsFrom((slotKey) => elements.get(slotKey), key);
}

function* slotsFrom(lookup: (key: string) => InstalledElement | undefined, key: string): Generator<string> {
  for (let slot = 0; ; slot++) {
    const element = lookup(`${key} . ${slot}`);
    if (element === undefined) return;
    yield element.data;
  }
}

/** The number of leading elements with the same keys in both lists: most of them, after nearly all changes. */
function sameKeys(before: readonly Element[], after: readonly Element[]): number {
  let count = 0;
  while (count < before.length && count < after.length) {
    const [a, b] = [before[count], after[count]];
    if (a?.object !== b?.object || a?.key !== b?.key) break;
    count++;
  }
  return count;
}

function effectiveClaim(claims: Claims): Element {
  if (!isList(claims)) return claims;
  const [first] = claims;
  return first ?? unreachableClaim();
}

function toList(claims: Claims): readonly Element[] {
  return isList(claims) ? claims : [claims];
}

function isList(claims: Claims): claims is readonly Element[] {
  return Array.isArray(claims);
}

function byOwner(a: Element, b: Element): number {
  return compare(a.owner, b.owner);
}

function isSame(installed: InstalledElement | undefined, desired: InstalledElement | undefined): boolean {
  return installed?.data === desired?.data && installed?.comment === desired?.comment;
}

function unreachableClaim(): never {
  throw new Error('Invariant broken: a claim has an element');
}
