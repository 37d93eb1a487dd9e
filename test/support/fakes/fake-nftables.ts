// An nf_tables in memory that applies our operations, and refuses what the kernel refuses.

import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { parsePrefixOrAddress, withoutOverlaps } from '../../../src/net/prefix.ts';
import type { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import type { InstalledElement, KernelListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import { parseTables } from '../../../src/nftables/syntax/listed/table-listing.ts';
import type { ListedTable } from '../../../src/nftables/syntax/listed-table.ts';
import { type ObjectRef, type RefKey, refKey } from '../../../src/nftables/syntax/object-ref.ts';

/** A set or map, by key. */
export type Elements = Map<string, InstalledElement>;

interface Table {
  readonly objects: Map<string, Elements>;
  /** The bodies of declarations. */
  readonly declarations: Map<string, string>;
  readonly chains: Map<string, FakeChain>;
}

interface FakeChain {
  readonly hook: string;
  rules: string[];
}

/** A chain that is referred to cannot be deleted, and elements and rules can only refer to existing chains. */
export class FakeNftables {
  #tables = new Map<Family, Table>();

  /** Applies the lines as one transaction; throws when one of them is refused. */
  run(lines: readonly string[]): void {
    const before = this.#tables;
    this.#tables = new Map([...before].map(([family, table]) => [family, copyTable(table)]));
    try {
      for (const line of splitCommands(lines)) this.#runLine(line);
    } catch (error) {
      this.#tables = before;
      throw error;
    }
  }

  list(): KernelListing {
    const elements = new Map<RefKey, Elements>();
    const chains: ObjectRef[] = [];
    for (const [family, table] of this.#tables) {
      for (const [name, object] of table.objects)
        if (object.size > 0) elements.set(refKey({ family, name }), new Map(object));
      for (const name of table.chains.keys()) chains.push({ family, name });
    }
    return { elements, chains, tables: this.listTables() };
  }

  /** Our tables as nft lists them. */
  listTables(): ListedTable[] {
    return parseTables([...this.#tables].map(([family, table]) => printTable(family, table)).join('\n'));
  }

  /** The rules of each chain. */
  rules(): Map<RefKey, readonly string[]> {
    const all = [...this.#tables].flatMap(([family, { chains }]) =>
      [...chains].map(([name, { rules }]) => [refKey({ family, name }), rules] as const),
    );
    return new Map(all);
  }

  /** The affinity maps, as `family name`. */
  affinityMaps(): string[] {
    const names = [...this.#tables].flatMap(([family, { objects }]) =>
      [...objects.keys()].map((n) => `${family} ${n}`),
    );
    return names.filter((name) => name.includes('/'));
  }

  elements(family: Family, name: keyof (typeof SETS_AND_MAPS)['ip']): Elements {
    return this.#tables.get(family)?.objects.get(name) ?? new Map();
  }

  #runLine(line: string): void {
    const [verb, objectKind, familyText, table, name, ...rest] = line.split(' ');
    const family = FAMILIES.find((candidate) => candidate === familyText);
    if (table !== 'nftlane' || family === undefined) throw new Error(`Not ours: ${line}`);
    const text = rest.join(' ');
    switch (`${verb} ${objectKind}`) {
      case 'delete table':
        this.#table(family, line);
        this.#tables.delete(family);
        return;
      case 'add table':
        if (!this.#tables.has(family))
          this.#tables.set(family, { objects: new Map(), declarations: new Map(), chains: new Map() });
        return;
      case 'add set':
      case 'add map': {
        const { objects, declarations } = this.#table(family, line);
        objects.set(name ?? '', objects.get(name ?? '') ?? new Map());
        declarations.set(name ?? '', `${objectKind} ${name} ${text}`);
        return;
      }
      case 'add chain': {
        const { chains } = this.#table(family, line);
        chains.set(name ?? '', chains.get(name ?? '') ?? { hook: text.replace(/^\{ | \}$/g, ''), rules: [] });
        return;
      }
      case 'flush chain':
        this.#chain(family, name, line).rules = [];
        return;
      case 'add rule':
        this.#addRule({ family, name, rule: text, line });
        return;
      case 'delete map':
      case 'delete set':
        this.#deleteObject({ family, name, line });
        return;
      case 'delete chain':
        this.#deleteChain({ family, name, line });
        return;
      case 'add element':
        this.#addElement({ family, object: this.#object(family, name, line), text, line, name: name ?? '' });
        return;
      case 'delete element': {
        const key = text.slice(2, -2);
        if (!this.#object(family, name, line).delete(key)) throw new Error(`No such file or directory: ${line}`);
        return;
      }
      default:
        throw new Error(`Syntax error: ${line}`);
    }
  }

  #addElement({
    family,
    name,
    object,
    text,
    line,
  }: {
    family: Family;
    name: string;
    object: Elements;
    text: string;
    line: string;
  }): void {
    const [, key, comment = '', data = ''] = /^\{ (.+?)(?: comment "([^"]*)")?(?: : (.+))? \}$/.exec(text) ?? [];
    if (key === undefined) throw new Error(`Syntax error: ${line}`);
    const [, target] = /^goto (\S+)$/.exec(data) ?? [];
    if (target !== undefined) this.#chain(family, target, line);
    const overlaps =
      name === 'source-ranges' && [...object.keys()].some((other) => other !== key && overlap(other, key));
    if (overlaps) throw new Error(`Conflicting intervals: ${line}`);
    const existing = object.get(key);
    if (existing !== undefined && existing.data !== data) throw new Error(`File exists: ${line}`);
    if (existing === undefined) object.set(key, { data, comment });
  }

  #addRule({
    family,
    name,
    rule,
    line,
  }: {
    family: Family;
    name: string | undefined;
    rule: string;
    line: string;
  }): void {
    for (const [, target] of rule.matchAll(/(?:jump|goto) (\S+)/g)) this.#chain(family, target, line);
    for (const [, object] of rule.matchAll(/@(\S+)/g)) this.#object(family, object, line);
    this.#chain(family, name, line).rules.push(rule);
  }

  #deleteChain({ family, name, line }: { family: Family; name: string | undefined; line: string }): void {
    this.#chain(family, name, line);
    const { chains, objects } = this.#table(family, line);
    const hasElements = [...objects.values()].some((object) =>
      [...object.values()].some(({ data }) => data === `goto ${name}`),
    );
    const hasCallers = [...chains.values()].some(({ rules }) => rules.some((rule) => rule.endsWith(` ${name}`)));
    if (hasElements || hasCallers) throw new Error(`Device or resource busy: ${line}`);
    chains.delete(name ?? '');
  }

  /** A set or map that a rule uses cannot be deleted. */
  #deleteObject({ family, name, line }: { family: Family; name: string | undefined; line: string }): void {
    this.#object(family, name, line);
    const { chains, objects } = this.#table(family, line);
    const used = [...chains.values()].some(({ rules }) => rules.some((rule) => rule.split(' ').includes(`@${name}`)));
    if (used) throw new Error(`Device or resource busy: ${line}`);
    objects.delete(name ?? '');
    this.#table(family, line).declarations.delete(name ?? '');
  }

  #table(family: Family, line: string): Table {
    return orNotFound(this.#tables.get(family), line);
  }

  #object(family: Family, name: string | undefined, line: string): Elements {
    return orNotFound(this.#table(family, line).objects.get(name ?? ''), line);
  }

  #chain(family: Family, name: string | undefined, line: string): FakeChain {
    return orNotFound(this.#table(family, line).chains.get(name ?? ''), line);
  }
}

function printTable(family: Family, { declarations, chains }: Table): string {
  const objects = [...declarations.values()].map((text) => {
    const [, head = '', body = ''] = /^(\S+ \S+) \{ (.*) \}$/.exec(text) ?? [];
    return [`\t${head} {`, ...body.split(';').map((part) => `\t\t${part.trim()}`), '\t}'];
  });
  const printedChains = [...chains].map(([name, { hook, rules }]) => {
    return [`\tchain ${name} {`, ...[hook, ...rules].map((text) => `\t\t${text}`), '\t}'];
  });
  return [`table ${family} nftlane {`, ...objects.flat(), ...printedChains.flat(), '}'].join('\n');
}

/** Elements are immutable, so they can be shared. */
function copyTable({ objects, declarations, chains }: Table): Table {
  return {
    declarations: new Map(declarations),
    objects: new Map([...objects].map(([name, elements]) => [name, new Map(elements)])),
    chains: new Map([...chains].map(([name, { hook, rules }]) => [name, { hook, rules: [...rules] }])),
  };
}

/** Whether two keys of an interval set overlap. */
function overlap(a: string, b: string): boolean {
  const [left, right] = [a, b].map((key) => key.lastIndexOf(' . '));
  if (a.slice(0, left) !== b.slice(0, right)) return false;
  const [first, second] = [a.slice((left ?? 0) + 3), b.slice((right ?? 0) + 3)].map((text) =>
    parsePrefixOrAddress(text),
  );
  return first !== undefined && second !== undefined && withoutOverlaps([first, second]).length < 2;
}

function orNotFound<T>(value: T | undefined, line: string): T {
  if (value === undefined) throw new Error(`No such file or directory: ${line}`);
  return value;
}

/** Splits commands with many elements into one command per element. */
function* splitCommands(lines: readonly string[]): Generator<string> {
  let command = '';
  for (const line of lines) {
    const text = line.replace(/^}; /, '');
    const [, begin, element] = /^((?:add|delete) element \S+ \S+ \S+) \{ (.*)$/.exec(text) ?? [];
    if (begin !== undefined) command = begin;
    if (begin === undefined && /^(?:add|delete|flush) /.test(text)) yield text;
    else yield `${command} { ${(element ?? text).replace(/(?:,| \}|, \})$/, '')} }`;
  }
}
