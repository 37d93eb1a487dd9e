// What the kernel should hold, who asked for it, and where the kernel is known to hold something else.
import { compare } from '../../lib/compare.ts';
import { type Element, type NftObject, targetOf } from '../syntax/element.ts';

/** What a listing of the kernel says of one element. */
export interface Held {
  readonly data: string;
  readonly comment: string;
}

/** All elements of our sets and maps, as listed: by {@link objectKey}, then by key. */
export type Listing = ReadonlyMap<string, ReadonlyMap<string, Held>>;

/** One difference between the kernel and what is wanted. At least one of `held` and `wanted` is there. */
export interface Change {
  readonly object: NftObject;
  readonly key: string;
  readonly held: Held | undefined;
  readonly wanted: Element | undefined;
}

/** Names a set or map across both families. */
export function objectKey({ family, name }: Pick<NftObject, 'family' | 'name'>): string {
  return `${family} ${name}`;
}

/** Several owners may ask for the same element of a shared set; nearly always there is one. */
type Claims = Element | readonly Element[];

interface Book {
  readonly object: NftObject;
  readonly claims: Map<string, Claims>;
  /** Keys whose wanted element differs from what the kernel holds, with what it holds. */
  readonly changed: Map<string, Held | undefined>;
}

/**
 * The ledger holds every wanted element once. What the kernel holds is not kept beside it: only the differences since
 * the last commit are, so an event costs memory and time in proportion to itself.
 */
export class Ledger {
  readonly #books: ReadonlyMap<NftObject, Book>;
  readonly #byOwner = new Map<string, readonly Element[]>();
  /** How many wanted elements lead to a chain, by `family name`. */
  readonly #targets = new Map<string, number>();

  constructor(objects: readonly NftObject[]) {
    this.#books = new Map(objects.map((object) => [object, { object, claims: new Map(), changed: new Map() }]));
  }

  /** Everything that `owner` asks for from now on; what it asked for before and no longer does is given up. */
  put(owner: string, elements: readonly Element[]): void {
    const before = this.#byOwner.get(owner);
    if (elements.length > 0) this.#byOwner.set(owner, elements);
    else this.#byOwner.delete(owner);
    if (before === undefined) {
      for (const element of elements) this.#claim(undefined, element);
      return;
    }
    const alike = sameKeys(before, elements);
    for (let index = 0; index < alike; index++) this.#claim(before[index], elements[index]);
    if (alike === before.length && alike === elements.length) return;
    const left = new Map(before.slice(alike).map((element) => [elementKey(element), element]));
    for (const element of elements.slice(alike)) {
      const same = left.get(elementKey(element));
      left.delete(elementKey(element));
      this.#claim(same, element);
    }
    for (const element of left.values()) this.#claim(element, undefined);
  }

  /** What the slots of a frontend hold, from slot 0 on, as `data` texts. */
  slots(object: NftObject, key: string): string[] {
    const { claims } = this.#book(object);
    return slotsFrom((slotKey) => {
      const claim = claims.get(slotKey);
      return claim === undefined ? undefined : winner(claim);
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
  *changes(concerns: (object: NftObject) => boolean = () => true): Generator<Change> {
    for (const { object, claims, changed } of this.#books.values()) {
      if (!concerns(object)) continue;
      for (const [key, held] of changed) {
        const claim = claims.get(key);
        yield { object, key, held, wanted: claim === undefined ? undefined : winner(claim) };
      }
    }
  }

  /** How many elements differ from the kernel's. */
  get pending(): number {
    let count = 0;
    for (const { changed } of this.#books.values()) count += changed.size;
    return count;
  }

  /** The kernel now holds what is wanted of these changes. */
  committed(changes: Iterable<Change>): void {
    for (const { object, key } of changes) this.#book(object).changed.delete(key);
  }

  /** What the kernel holds was not known, and this is it: every difference becomes a change. */
  rebase(listing: Listing): void {
    for (const { object, claims, changed } of this.#books.values()) {
      changed.clear();
      const held = listing.get(objectKey(object)) ?? new Map<string, Held>();
      for (const [key, claim] of claims) {
        const was = held.get(key);
        if (!isSame(was, winner(claim))) changed.set(key, was);
      }
      for (const [key, was] of held) if (!claims.has(key)) changed.set(key, was);
    }
  }

  /** The chains that wanted elements lead to, as `family name`, sorted. */
  targets(): string[] {
    return [...this.#targets.keys()].sort(compare);
  }

  isTarget(target: string): boolean {
    return this.#targets.has(target);
  }

  /** All wanted elements of an object, sorted by key. */
  elements(object: NftObject): Element[] {
    return [...this.#book(object).claims.values()].map(winner).sort((a, b) => compare(a.key, b.key));
  }

  /** How many elements are wanted in an object. */
  size(object: NftObject): number {
    return this.#book(object).claims.size;
  }

  #book(object: NftObject): Book {
    const book = this.#books.get(object);
    if (book === undefined) throw new Error(`Invariant broken: no object "${objectKey(object)}"`);
    return book;
  }

  /** Exchanges one claim for another; either may be missing. */
  #claim(before: Element | undefined, after: Element | undefined): void {
    const { object, key, owner } = before ?? after ?? unreachableClaim();
    const book = this.#book(object);
    const claims = book.claims.get(key);
    if (claims === undefined && after !== undefined) {
      book.claims.set(key, after);
      this.#record(book, key, { was: undefined, is: after });
    } else if (claims !== undefined && after !== undefined && !isList(claims) && claims.owner === owner) {
      book.claims.set(key, after);
      if (!isSame(claims, after)) this.#record(book, key, { was: claims, is: after });
    } else if (claims !== undefined) {
      const others = listed(claims).filter((claim) => claim.owner !== owner);
      const next = after === undefined ? others : [...others, after].sort(byOwner);
      const [first] = next;
      if (first === undefined) book.claims.delete(key);
      else book.claims.set(key, next.length === 1 ? first : next);
      this.#record(book, key, { was: winner(claims), is: first });
    }
  }

  /** Notes that the wanted element changed, or takes the note back when it is again what the kernel holds. */
  #record(
    { object, changed }: Book,
    key: string,
    { was, is }: { was: Element | undefined; is: Element | undefined },
  ): void {
    this.#retarget(object, was, -1);
    this.#retarget(object, is, 1);
    const held = changed.get(key) ?? (was === undefined || changed.has(key) ? undefined : was);
    if (isSame(held, is)) changed.delete(key);
    else changed.set(key, held === undefined ? undefined : { data: held.data, comment: held.comment });
  }

  #retarget({ family }: NftObject, element: Element | undefined, by: 1 | -1): void {
    const chain = element === undefined ? undefined : targetOf(element.data);
    if (chain === undefined) return;
    const target = `${family} ${chain}`;
    const count = (this.#targets.get(target) ?? 0) + by;
    if (count === 0) this.#targets.delete(target);
    else this.#targets.set(target, count);
  }
}

/** What the slots of a frontend hold in a listing, from slot 0 on. */
export function slotsIn(listing: Listing, object: NftObject, key: string): string[] {
  const held = listing.get(objectKey(object));
  return held === undefined ? [] : slotsFrom((slotKey) => held.get(slotKey), key);
}

function slotsFrom(lookup: (key: string) => Held | undefined, key: string): string[] {
  const slots: string[] = [];
  for (let held = lookup(`${key} . 0`); held !== undefined; held = lookup(`${key} . ${slots.length}`)) {
    slots.push(held.data);
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
  return `${object.family} ${object.name} ${key}`;
}

function winner(claims: Claims): Element {
  if (!isList(claims)) return claims;
  const [first] = claims;
  return first ?? unreachableClaim();
}

function listed(claims: Claims): readonly Element[] {
  return isList(claims) ? claims : [claims];
}

function isList(claims: Claims): claims is readonly Element[] {
  return Array.isArray(claims);
}

function byOwner(a: Element, b: Element): number {
  return compare(a.owner, b.owner);
}

function isSame(held: Held | undefined, wanted: Held | undefined): boolean {
  return held?.data === wanted?.data && held?.comment === wanted?.comment;
}

function unreachableClaim(): never {
  throw new Error('Invariant broken: a claim has an element');
}
