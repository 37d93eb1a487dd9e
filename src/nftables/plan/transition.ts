// Replaces the elements of a large Service piece by piece, so that other changes can be applied in between.

import { inSteps, type Steps } from '../../lib/steps.ts';
import { type Element, elementKey, type SetOrMap } from '../syntax/element.ts';
import type { Ledger } from './ledger.ts';

/** An element before and after; one of them is missing if the key is added or removed. */
interface Replacement {
  readonly before: Element | undefined;
  readonly after: Element | undefined;
}

interface TransitionInput {
  readonly ledger: Ledger;
  readonly owner: string;
  readonly elements: readonly Element[];
  /** Whether these elements have no effect without a verdict that refers to them. */
  readonly isSlot: (object: SetOrMap) => boolean;
}

/**
 * Between two pieces, every frontend works either as before or as desired: slots are added or replaced first, then all other
 * elements change in one step, and slots without a verdict are removed last.
 */
export class Transition {
  readonly #ledger: Ledger;
  readonly #owner: string;
  readonly #elements: readonly Element[];
  /** In order; those from {@link #switchAt} to {@link #switchedAt} belong together. */
  readonly #replacements: readonly Replacement[];
  readonly #switchAt: number;
  readonly #switchedAt: number;
  #applied = 0;

  private constructor(input: TransitionInput, parts: Parts) {
    this.#ledger = input.ledger;
    this.#owner = input.owner;
    this.#elements = parts.elements;
    this.#replacements = [...parts.slots, ...parts.others, ...parts.removedSlots];
    this.#switchAt = parts.slots.length;
    this.#switchedAt = parts.slots.length + parts.others.length;
  }

  /** Compares the elements with those in the ledger, which nothing else may change until the transition ends. */
  static *prepare(input: TransitionInput): Steps<Transition> {
    return new Transition(input, yield* findReplacements(input));
  }

  /** Applies about `limit` replacements. Returns how many. */
  advance(limit: number): number {
    const from = this.#applied;
    let until = Math.min(from + limit, this.#replacements.length);
    if (until > this.#switchAt && until < this.#switchedAt) until = this.#switchedAt;
    for (const { before, after } of this.#replacements.slice(from, until)) this.#ledger.replace(before, after);
    this.#applied = until;
    if (this.isDone) this.#ledger.setOwned(this.#owner, this.#elements);
    return until - from;
  }

  get isDone(): boolean {
    return this.#applied === this.#replacements.length;
  }

  /** Ends the transition where it is: the owner has the elements that were replaced, and the others as before. */
  stop(): void {
    if (this.isDone) return;
    const remaining = this.#replacements.slice(this.#applied);
    const added = new Set(remaining.flatMap(({ before, after }) => (before === undefined ? [after] : [])));
    const replaced = new Map(remaining.map(({ before, after }) => [after, before] as const));
    const kept = this.#elements
      .filter((element) => !added.has(element))
      .map((element) => replaced.get(element) ?? element);
    const notRemoved = remaining.flatMap(({ before, after }) =>
      after === undefined && before !== undefined ? [before] : [],
    );
    this.#ledger.setOwned(this.#owner, [...kept, ...notRemoved]);
  }
}

interface Parts {
  /** The elements of the owner afterwards. */
  readonly elements: readonly Element[];
  readonly slots: readonly Replacement[];
  readonly others: readonly Replacement[];
  readonly removedSlots: readonly Replacement[];
}

function* findReplacements({ ledger, owner, elements, isSlot }: TransitionInput): Steps<Parts> {
  const removed = new Map<string, Element>();
  yield* inSteps(ledger.elementsOf(owner), (element) => removed.set(elementKey(element), element));
  const [slots, others]: [Replacement[], Replacement[]] = [[], []];
  const after: Element[] = [];
  yield* inSteps(elements, (element) => {
    const key = elementKey(element);
    const before = removed.get(key);
    removed.delete(key);
    const isUnchanged = before?.data === element.data && before.comment === element.comment;
    after.push(isUnchanged ? before : element);
    if (!isUnchanged) (isSlot(element.object) ? slots : others).push({ before, after: element });
  });
  const removedSlots: Replacement[] = [];
  for (const before of removed.values()) {
    (isSlot(before.object) ? removedSlots : others).push({ before, after: undefined });
  }
  return { elements: after, slots, others, removedSlots };
}
