// Parses the output of `nft -t list table`, or of `nft -t list ruleset`: everything in a table except elements.

import type { ListedDeclaration, ListedTable, TableChain } from '../listed-table.ts';
import { readPriority } from './priority.ts';

/** The tables of a listing, in its order. */
export function parseTables(text: string): ListedTable[] {
  const reader = new TableListingReader();
  for (const line of text.split('\n')) reader.read(line);
  return reader.finish();
}

/** Reads a listing line by line. Keeps nothing of lines outside of tables. */
export class TableListingReader {
  readonly #tables: TableReader[] = [];
  /** The beginning of a rule with a long anonymous set or map. */
  #open = '';

  read(line: string): void {
    const joined = this.#open === '' ? line : `${this.#open} ${line.trim()}`;
    const mayContinue = this.#tables.length > 0 && (this.#open !== '' || /^\t\t.*\{[^}]*$/.test(line));
    this.#open = mayContinue && depth(joined) > 0 ? joined : '';
    if (this.#open === '') this.#readWhole(joined);
  }

  finish(): ListedTable[] {
    if (this.#open !== '') this.#readWhole(this.#open);
    this.#open = '';
    return this.#tables.map((table) => table.finish());
  }

  #readWhole(line: string): void {
    const [, family, name] = /^table (\S+) (\S+) \{/.exec(line) ?? [];
    if (family !== undefined && name !== undefined) this.#tables.push(new TableReader(family, name));
    else this.#tables.at(-1)?.read(line);
  }
}

interface Block {
  readonly kind: string;
  readonly name: string;
  readonly lines: string[];
}

class TableReader {
  readonly #family: string;
  readonly #name: string;
  #flags: readonly string[] = [];
  readonly #chains: TableChain[] = [];
  readonly #setsAndMaps: ListedDeclaration[] = [];
  readonly #others: { readonly kind: string; readonly name: string }[] = [];
  #block: Block | undefined;

  constructor(family: string, name: string) {
    this.#family = family;
    this.#name = name;
  }

  finish(): ListedTable {
    return {
      ...{ family: this.#family, name: this.#name, flags: this.#flags },
      ...{ chains: this.#chains, setsAndMaps: this.#setsAndMaps, others: this.#others },
    };
  }

  read(line: string): void {
    if (this.#block === undefined) this.#readHead(line);
    else if (line === '\t}') this.#close(this.#block);
    else if (line.trim() !== '') this.#block.lines.push(line.trim());
  }

  #readHead(line: string): void {
    const [, kind, name] = /^\t(\S+(?: (?:helper|timeout|expectation))?) (\S+) \{/.exec(line) ?? [];
    if (kind !== undefined && name !== undefined) this.#block = { kind, name, lines: [] };
    const [, flags] = /^\tflags (\S+)/.exec(line) ?? [];
    if (flags !== undefined) this.#flags = flags.split(',');
  }

  #close({ kind, name, lines }: Block): void {
    if (kind === 'chain') this.#chains.push(toChain(name, lines));
    else if (kind === 'set' || kind === 'map') this.#setsAndMaps.push({ kind, name, properties: lines });
    else this.#others.push({ kind, name });
    this.#block = undefined;
  }
}

const HOOK = /^type (\S+) hook (\S+) (?:(.*) )?priority ([^;]+);(?: policy (\S+);)?(.*)$/;

function toChain(name: string, lines: readonly string[]): TableChain {
  const hookLine = lines.find((line) => HOOK.test(line)) ?? '';
  const [, type, hook, device = '', priority = '', policy = 'accept', rest = ''] = HOOK.exec(hookLine) ?? [];
  const rules = lines.filter((line) => !line.startsWith('comment ') && !HOOK.test(line) && !line.startsWith('flags '));
  if (type === undefined || hook === undefined) return { name, rules };
  const remainder = [device, rest].map((part) => part.trim()).filter((part) => part !== '');
  const listed = { type, hook, priority: readPriority(priority), policy, rest: remainder.join(' ') };
  return { name, hook: listed, rules };
}

/** How many braces are open at the end of a line. */
function depth(line: string): number {
  const unquoted = line.replaceAll(/"[^"]*"/g, '');
  return unquoted.split('{').length - unquoted.split('}').length;
}
