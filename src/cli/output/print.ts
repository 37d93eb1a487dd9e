// Prints the results of commands to standard output.

export type OutputFormat = 'text' | 'json';

/** Prints a text and a newline. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
