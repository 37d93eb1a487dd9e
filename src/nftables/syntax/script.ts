// Transactions as input of nft: one line for a session, or a script for a process of its own.

/** A transaction as input, and the operation that each place in it belongs to. */
interface Script {
  /** Written in this order, each in one piece. */
  readonly parts: readonly string[];
  /** The number, from 1, of the operation in a line of the input; the same number for other lines. */
  operationAt(line: number): number;
}

/** Ends a run of elements, before the next operation. */
const CLOSING = '}; ';

/** `add element ip nftlane endpoints { FIRST,` as written by {@link OperationLines}, perhaps with a closing brace. */
const ELEMENTS = /^(add|delete) element (\S+ \S+ \S+) \{ (.*,)( \})?$/;

/**
 * A script that does nothing until it is complete. nft runs what it has read when its input ends, also because the
 * writer was killed. The elements are therefore definitions, and the commands, which use them, follow in one piece: up to
 * 64 KiB are written to a socket entirely or not at all. Measured: definitions take nft no longer than commands.
 */
export function toScript(lines: readonly string[]): Script {
  const definitions: string[] = [];
  const commands: string[] = [];
  let isContinued = false;
  for (const line of lines) {
    const isInRun = isContinued;
    isContinued = line.endsWith(',');
    const closesRun = line.startsWith(CLOSING);
    if (isInRun && !closesRun) {
      definitions.push(line);
      continue;
    }
    if (closesRun) definitions.push(`${definitions.pop()} }`);
    const text = textOf(line);
    const [, verb, object, element = '', end = ''] = ELEMENTS.exec(text) ?? [];
    if (verb === undefined) {
      commands.push(text);
      continue;
    }
    const name = `elements${commands.length}`;
    commands.push(`${verb} element ${object} $${name}`);
    definitions.push(`define ${name} = { ${element}${end}`);
  }
  const parts = [definitions, commands].filter((part) => part.length > 0).map((part) => `${part.join('\n')}\n`);
  // Only errors need them, and then perhaps thousands.
  let operations: readonly number[] | undefined;
  const operationAt = (line: number): number => {
    operations ??= operationsOf(lines);
    return operations[line - 1] ?? line;
  };
  return { parts, operationAt };
}

/** The number of the operation, from 1, in each line of the script. */
function operationsOf(lines: readonly string[]): number[] {
  const numbers = lines.map((_, index) => index + 1);
  const isContinuation = (number: number) =>
    lines[number - 2]?.endsWith(',') && !lines[number - 1]?.startsWith(CLOSING);
  const isDefinition = (number: number) => isContinuation(number) || ELEMENTS.test(textOf(lines[number - 1] ?? ''));
  return [...numbers.filter(isDefinition), ...numbers.filter((number) => !isContinuation(number))];
}

/** The line without the brace that closes the elements before it. */
function textOf(line: string): string {
  return line.startsWith(CLOSING) ? line.slice(CLOSING.length) : line;
}

/**
 * The lines as one line, which `nft -i` takes as one transaction. `operationAt` is the number, from 1, of the operation
 * at a column.
 */
export function toSingleLine(lines: readonly string[]): { readonly text: string; operationAt(column: number): number } {
  const ends: number[] = [];
  let length = 0;
  const parts: string[] = [];
  for (const line of lines) {
    const separator = parts.length === 0 ? '' : (parts.at(-1)?.endsWith(',') ?? false) ? ' ' : '; ';
    parts.push(separator, line);
    length += separator.length + line.length;
    ends.push(length);
  }
  return { text: parts.join(''), operationAt: (column) => ends.findIndex((end) => column < end) + 1 };
}
