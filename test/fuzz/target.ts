// A part of nftlane that reads input which others write.

import { OperationalError } from '../../src/lib/operational-error.ts';
import type { Random } from '../support/random.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Its part of all inputs, relative to the other targets. */
  readonly weight: number;
  /** Valid inputs: most mutations of them are nearly valid. */
  readonly seeds: readonly string[];
  /** The mutation of an input; default: {@link mutateText}. */
  readonly mutate?: (input: string, random: Random) => string;
  /** Reads the input. Throws for a fault of nftlane: an unexpected error, or output that it must not give. */
  run(input: string): void | Promise<void>;
  close?(): Promise<void>;
}

/** Controls but the line feed and the tab, line separators, and the characters that change the direction of text. */
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** Throws if a terminal or a log could misread the text. */
export function requirePrintable(what: string, text: string): void {
  const found = UNSAFE.exec(text);
  if (found === null) return;
  const code = found[0].codePointAt(0)?.toString(16).padStart(4, '0');
  throw new Error(`${what} has the character U+${code}: ${JSON.stringify(text.slice(0, 300))}`);
}

/** Runs the call and ignores errors of these classes. What operators see of them must be printable. */
export function expectErrors(classes: readonly (new (...args: never[]) => Error)[], call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!classes.some((expected) => error instanceof expected)) throw error;
    if (error instanceof OperationalError) requirePrintable('An error', error.message);
  }
}
