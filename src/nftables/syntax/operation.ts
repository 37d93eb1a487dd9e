// Operations on a table, one line each, so that nft's error position names the one that the kernel refused.
import type { Family } from '../../net/family.ts';
import type { Element, NftObject } from './element.ts';
import { type Chain, printHook, printRule } from './statement.ts';

/** The name of our tables, one in each family. Nothing of ours lives anywhere else. */
export const TABLE = 'nftlane';

/** One line for `nft -f`. */
export interface Operation {
  readonly line: string;
  /** The Service on whose behalf it is made; empty when it is for all. */
  readonly owner: string;
}

export function addTable(family: Family): Operation {
  return shared(`add table ${family} ${TABLE}`);
}

export function deleteTable(family: Family): Operation {
  return shared(`delete table ${family} ${TABLE}`);
}

export function addObject({ family, kind, name, body }: NftObject): Operation {
  return shared(`add ${kind} ${family} ${TABLE} ${name} { ${body} }`);
}

export function deleteObject({ family, kind, name }: Pick<NftObject, 'family' | 'kind' | 'name'>): Operation {
  return shared(`delete ${kind} ${family} ${TABLE} ${name}`);
}

/** Makes the chain if it is not there and gives it exactly these rules: in one transaction no packet sees it empty. */
export function writeChain(family: Family, chain: Chain): Operation[] {
  const where = `${family} ${TABLE} ${chain.name}`;
  const hook = chain.hook === undefined ? '' : ` { ${printHook(chain.hook)} }`;
  return [
    shared(`add chain ${where}${hook}`),
    shared(`flush chain ${where}`),
    ...chain.rules.map((rule) => shared(`add rule ${where} ${printRule(rule, family)}`)),
  ];
}

export function deleteChain(family: Family, name: string): Operation {
  return shared(`delete chain ${family} ${TABLE} ${name}`);
}

export function addElement(element: Element): Operation {
  return { line: `add element ${objectPath(element.object)} { ${printElement(element)} }`, owner: element.owner };
}

/** Removes the element that has this key. */
export function deleteElement(object: NftObject, key: string, owner: string): Operation {
  return { line: `delete element ${objectPath(object)} { ${key} }`, owner };
}

/**
 * The lines of many operations, as many as there are. Neighbouring additions to one object, or removals from it, are one
 * command over as many lines: nft reads it a seventh faster, and still names the line of the element that is refused.
 * Strings are joined, not added up: a sum would keep all its parts until it is written.
 */
export class OperationLines {
  readonly #lines: string[] = [];
  /** The object whose elements are being listed, and what is done to them. */
  #open: { readonly object: NftObject; readonly verb: 'add' | 'delete' } | undefined;

  /** Any operation but one on an element. */
  put(line: string): void {
    this.#lines.push(this.#open === undefined ? line : `}; ${line}`);
    this.#open = undefined;
  }

  add(element: Element): void {
    this.#list('add', element.object, printElement(element));
  }

  delete(object: NftObject, key: string): void {
    this.#list('delete', object, key);
  }

  /** The lines; the last operation ends with its own. */
  end(): string[] {
    const last = this.#lines.pop();
    if (last === undefined) return [];
    this.#lines.push(this.#open === undefined ? last : `${last} }`);
    this.#open = undefined;
    return this.#lines;
  }

  #list(verb: 'add' | 'delete', object: NftObject, text: string): void {
    if (this.#open?.object === object && this.#open.verb === verb) {
      this.#lines.push([text, ','].join(''));
      return;
    }
    const close = this.#open === undefined ? '' : '}; ';
    this.#open = { object, verb };
    this.#lines.push([close, verb, ' element ', objectPath(object), ' { ', text, ','].join(''));
  }
}

function objectPath({ family, name }: NftObject): string {
  return [family, TABLE, name].join(' ');
}

/** `key comment "..." : data`, as it stands in an element list. */
export function printElement({ key, data, comment }: Pick<Element, 'key' | 'data' | 'comment'>): string {
  const parts = [key];
  if (comment !== '') parts.push(' comment "', comment, '"');
  if (data !== '') parts.push(' : ', data);
  return parts.join('');
}

function shared(line: string): Operation {
  return { line, owner: '' };
}
