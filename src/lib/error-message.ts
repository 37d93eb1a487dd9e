// The message of a thrown value.

import { printable } from './printable.ts';

/** The message of an error; any other value as text. Safe to print: it may quote input. */
export function errorMessage(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error));
}
