// The desired elements, their owners, and where the kernel is known to hold something else.
import { compare } from '../../lib/compare.ts';
import { type Element, type SetOrMap, verdictChain } from '../syntax/element.ts';
import type { ElementListing, InstalledElement } from '../syntax/kernel-listing.ts';
import { type ObjectRef, type RefKey, refKey } from '../syntax/object-ref.ts';

/** A difference between the installed and the desired element of a key. At least one of them is defined. */
export interface Change {
  readonly object: SetOrMap;
  readonly key: string;
  readonly installed: InstalledElement | undefined;
  readonly desired: Element | undefined;
}

/** Several owners may ask for the same element of a shared set; nearly always there is one. */
type Claims = Element | readonly Element[];

interface SetState {
  readonly object: SetOrMap;
  readonly claims: Map<string, Claims>;
  /** Keys whose wanted element differs from what the kernel holds, with what it holds. */
  readonly differing: Map<string, InstalledElement | undefined>;
}

/**
 * The ledger holds every wanted element once. What the kernel holds is not kept beside it: only the differences since
 * the last commit are, so an event costs memory and time in proportion to itself.
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

  /** Everything that `owner` asks for from now on; what it asked for before and no longer does is given up. */
  setElements(owner: string, elements: readonly Element[]): void {
    const before = this.#byOwner.get(owner);
    if (elements.length > 0) this.#byOwner.set(owner, elements);
    else this.#byOwner.delete(owner);
    if (before === undefined) {
      for (const element of elements) this.#claim(undefined, element);
      return;
    }
    const unchangedKeys = sameKeys(before, elements);
    for (let index = 0; index < unchangedKeys; index++) this.#claim(before[index], elements[index]);
    if (unchangedKeys === before.length && unchangedKeys === elements.length) return;
    const remaining = new Map(before.slice(unchangedKeys).map((element) => [elementKey(element), element]));
    for (const element of elements.slice(unchangedKeys)) {
      const previous = remaining.get(elementKey(element));
      remaining.delete(elementKey(element));
      this.#claim(previous, element);
    }
    for (const element of remaining.values()) this.#claim(element, undefined);
  }

  /** What the slots of a frontend hold, from slot 0 on, as `data` texts. */
  slots(object: SetOrMap, key: string): string[] {
    const { claims } = this.#stateOf(object);
    return slotsFrom((slotKey) => {
      const claim = claims.get(slotKey);
      return claim === undefined ? undefined : effectiveClaim(claim);
    }, key);
  }

  /** Everybody who asks for something. */
  owners(): string[] {
    return [...this.#byOwner.keys()];
  }

  get isEmpty(): boolean {
    return this.#byOwner.size === 0;
  }

  /** Every difference between the kernel and what is wanted, in no particular order; of some objects only, if asked. */
  *changes(concerns: (object: SetOrMap) => boolean = () => true): Generator<Change> {
    for (const { object, claims, differing } of this.#states.values()) {
      if (!concerns(object)) continue;
      for (const [key, installed] of differing) {
        const claim = claims.get(key);
        yield { object, key, installed, desired: claim === undefined ? undefined : effectiveClaim(claim) };
      }
    }
  }

  /** The kernel now holds what is wanted of these changes. */
  committed(changes: Iterable<Change>): void {
    for (const { object, key } of changes) this.#stateOf(object).differing.delete(key);
  }

  /** What the kernel holds was not known, and this is it: every difference becomes a change. */
  rebase(listing: ElementListing): void {
    for (const { object, claims, differing } of this.#states.values()) {
      differing.clear();
      const installed = listing.get(refKey(object)) ?? new Map<string, InstalledElement>();
      for (const [key, claim] of claims) {
        const current = installed.get(key);
        if (!isSame(current, effectiveClaim(claim))) differing.set(key, current);
      }
      for (const [key, current] of installed) if (!claims.has(key)) differing.set(key, current);
    }
  }

  /** The chains that desired elements refer to, in no particular order. */
  get targetChains(): ReadonlyMap<RefKey, ObjectRef> {
    return this.#targets;
  }

  /** All wanted elements of an object, sorted by key. */
  elements(object: SetOrMap): Element[] {
    return [...this.#stateOf(object).claims.values()].map(effectiveClaim).sort((a, b) => compare(a.key, b.key));
  }

  /** How many elements are wanted in an object. */
  size(object: SetOrMap): number {
    return this.#stateOf(object).claims.size;
  }

  #stateOf(object: SetOrMap): SetState {
    const book = this.#states.get(object);
    if (book === undefined) throw new Error(`Invariant broken: no object "${refKey(object)}"`);
    return book;
  }

  /** Exchanges one claim for another; either may be missing. */
  #claim(before: Element | undefined, after: Element | undefined): void {
    const { object, key, owner } = before ?? after ?? unreachableClaim();
    const state = this.#stateOf(object);
    const claims = state.claims.get(key);
    if (claims === undefined && after !== undefined) {
      state.claims.set(key, after);
      this.#recordChange(state, key, { was: undefined, is: after });
    } else if (claims !== undefined && after !== undefined && !isList(claims) && claims.owner === owner) {
      state.claims.set(key, after);
      if (!isSame(claims, after)) this.#recordChange(state, key, { was: claims, is: after });
    } else if (claims !== undefined) {
      const others = toList(claims).filter((claim) => claim.owner !== owner);
      const remaining = after === undefined ? others : [...others, after].sort(byOwner);
      const [first] = remaining;
      if (first === undefined) state.claims.delete(key);
      else state.claims.set(key, remaining.length === 1 ? first : remaining);
      this.#recordChange(state, key, { was: effectiveClaim(claims), is: first });
    }
  }

  /** Notes that the wanted element changed, or takes the note back when it is again what the kernel holds. */
  #recordChange(
    { object, differing }: SetState,
    key: string,
    { was: previous, is: current }: { was: Element | undefined; is: Element | undefined },
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

/** What the slots of a frontend hold in a listing, from slot 0 on. */
export function slotsIn(listing: ElementListing, object: SetOrMap, key: string): string[] {
  const elements = listing.get(refKey(object));
  return elements === undefined ? [] : slotsFrom((slotKey) => elements.get(slotKey), key);
}

function slotsFrom(lookup: (key: string) => InstalledElement | undefined, key: string): string[] {
  const slots: string[] = [];
  for (let element = lookup(`${key} . 0`); element !== undefined; element = lookup(`${key} . ${slots.length}`)) {
    slots.push(element.data);
  }
  return slots;
}

/** How many elements from the first on have the same keys, in the same order: nearly always it is most of them. */
function sameKeys(before: readonly Element[], after: readonly Element[]): number {
  let count = 0;
  while (count < before.length && count < after.length) {
    const [a, b] = [before[count], after[count]];
    if (a?.object !== b?.object || a?.key !== b?.key) break;
    count++;
  }
  return count;
}

function elementKey({ object, key }: Element): string {
  return `${refKey(object)} ${key}`;
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
