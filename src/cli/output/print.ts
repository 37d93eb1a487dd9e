// Prints the results of commands to standard output.

import { type CommandStatus, printStatus } from '../../admin/command-status.ts';

export type OutputFormat = 'text' | 'json';

/** Prints a text and a newline. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints what the answer is based on, and the answer, which may be empty. */
export function printWithStatus(status: CommandStatus, text: string): void {
  print([printStatus(status), ...(text === '' ? [] : [text])].join('\n'));
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
