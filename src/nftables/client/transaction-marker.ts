// Numbers the transactions, so that the kernel shows which ones it has.

import { randomInt } from 'node:crypto';
import { FAMILIES } from '../../net/family.ts';
import { lastTransaction } from '../compile/sets-and-maps.ts';
import type { SetOrMap } from '../syntax/element.ts';
import { addElement, flushSetOrMap, TABLE } from '../syntax/operation.ts';

/** The number of a transaction, as an element of a set of the table that it changes. */
export interface Marker {
  readonly object: SetOrMap;
  readonly number: number;
}

/** What the sender knows about our transactions. */
export interface OwnTransactions {
  /** How many have failed, so that the kernel did not number them. */
  readonly failures: number;
  /** The number of the last one, if no other was under way when it was sent. */
  readonly alone: number | undefined;
}

/** Numbers of another daemon must not be taken for ours, and an element has 32 bits. */
const first = randomInt(1, 2 ** 31);
let last = first;

/** A marker for these operations on our tables. */
export function nextMarker(lines: readonly string[]): Marker {
  const family = FAMILIES.find((candidate) => lines[0]?.includes(` ${candidate} ${TABLE}`)) ?? 'ip';
  return { object: lastTransaction(family), number: last++ };
}

/**
 * The operations that end a transaction with its marker. `keep` leaves the markers of transactions that are not
 * confirmed yet.
 */
export function markerLines({ object, number }: Marker, { keep }: { readonly keep: boolean }): string[] {
  const element = { object, key: String(number), data: '', comment: '', owner: '' };
  return [...(keep ? [] : [flushSetOrMap(object).line]), addElement(element).line];
}

/** The numbers in a listing of {@link lastTransaction}. */
export function listedNumbers(text: string): Set<number> {
  return new Set([...text.matchAll(/0x[0-9a-f]{8}/g)].map(([number]) => Number(number)));
}

/** More transactions than are under way at the same time. */
const MAX_SHOWN = 10_000;

/**
 * Recognizes the notifications of the transactions of this process. The kernel shows each number once: another program
 * that restores saved elements adds an old number again, and its changes are not ours.
 */
export class OwnMarkers {
  readonly #shown = new Set<number>();
  /** All numbers below have been shown. */
  #lowest = first;

  /** The number on a line that is the notification of the marker of a transaction of ours, for the first time. */
  take(line: string): number | undefined {
    const number = Number(EVENT.exec(line)?.[1]);
    const isNew = number >= this.#lowest && number < last && !this.#shown.has(number);
    if (!isNew) return undefined;
    this.#shown.add(number);
    const [oldest = first] = this.#shown;
    if (this.#shown.size > MAX_SHOWN) {
      this.#shown.delete(oldest);
      this.#lowest = Math.max(this.#lowest, oldest + 1);
    }
    return number;
  }
}

const EVENT = new RegExp(`^add element \\S+ ${TABLE} ${lastTransaction('ip').name} \\{ (0x[0-9a-f]{8}) \\}$`);
