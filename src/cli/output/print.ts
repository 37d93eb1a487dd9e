// Prints the results of commands to standard output.

import { type CommandStatus, printStatus } from '../../admin/command-status.ts';
import { printable } from '../../lib/printable.ts';

export type OutputFormat = 'text' | 'json';

/** Prints a text and a newline. No name or comment in it can control the terminal. */
export function print(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** Prints what the answer is based on, and the answer, which may be empty. */
export function printWithStatus(status: CommandStatus, text: string): void {
  print([printStatus(status), ...(text === '' ? [] : [text])].join('\n'));
}

/** Unsafe characters, which can only be in strings, become JSON's own escapes. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
