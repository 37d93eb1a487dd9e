// Operations on a table, one line each, so that nft's error position names the one that the kernel refused.
import type { Family } from '../../net/family.ts';
import type { Element, SetOrMap } from './element.ts';
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
  return unowned(`add table ${family} ${TABLE}`);
}

export function deleteTable(family: Family): Operation {
  return unowned(`delete table ${family} ${TABLE}`);
}

export function addSetOrMap({ family, kind, name, body }: SetOrMap): Operation {
  return unowned(`add ${kind} ${family} ${TABLE} ${name} { ${body} }`);
}

export function deleteSetOrMap({ family, kind, name }: Pick<SetOrMap, 'family' | 'kind' | 'name'>): Operation {
  return unowned(`delete ${kind} ${family} ${TABLE} ${name}`);
}

/** Makes the chain if it is not there and gives it exactly these rules: in one transaction no packet sees it empty. */
export function writeChain(family: Family, chain: Chain): Operation[] {
  const path = `${family} ${TABLE} ${chain.name}`;
  const hook = chain.hook === undefined ? '' : ` { ${printHook(chain.hook)} }`;
  return [
    unowned(`add chain ${path}${hook}`),
    unowned(`flush chain ${path}`),
    ...chain.rules.map((rule) => unowned(`add rule ${path} ${printRule(rule, family)}`)),
  ];
}

export function deleteChain(family: Family, name: string): Operation {
  return unowned(`delete chain ${family} ${TABLE} ${name}`);
}

export function addElement(element: Element): Operation {
  return { line: `add element ${setOrMapPath(element.object)} { ${printElement(element)} }`, owner: element.owner };
}

/** Removes the element that has this key. */
export function deleteElement(object: SetOrMap, key: string, owner: string): Operation {
  return { line: `delete element ${setOrMapPath(object)} { ${key} }`, owner };
}

/**
 * The lines of many operations, as many as there are. Neighbouring additions to one object, or removals from it, are one
 * command over as many lines: nft reads it a seventh faster, and still names the line of the element that is refused.
 * Strings are joined, not added up: a sum would keep all its parts until it is written.
 */
export class OperationLines {
  readonly #lines: string[] = [];
  /** The object whose elements are being listed, and what is done to them. */
  #current: { readonly object: SetOrMap; readonly verb: 'add' | 'delete' } | undefined;

  /** Any operation but one on an element. */
  raw(line: string): void {
    this.#lines.push(this.#current === undefined ? line : `}; ${line}`);
    this.#current = undefined;
  }

  add(element: Element): void {
    this.#append('add', element.object, printElement(element));
  }

  delete(object: SetOrMap, key: string): void {
    this.#append('delete', object, key);
  }

  /** The lines; the last operation ends with its own. */
  finish(): string[] {
    const last = this.#lines.pop();
    if (last === undefined) return [];
    this.#lines.push(this.#current === undefined ? last : `${last} }`);
    this.#current = undefined;
    return this.#lines;
  }

  #append(verb: 'add' | 'delete', object: SetOrMap, text: string): void {
    if (this.#current?.object === object && this.#current.verb === verb) {
      this.#lines.push([text, ','].join(''));
      return;
    }
    const close = this.#current === undefined ? '' : '}; ';
    this.#current = { object, verb };
    this.#lines.push([close, verb, ' element ', setOrMapPath(object), ' { ', text, ','].join(''));
  }
}

function setOrMapPath({ family, name }: SetOrMap): string {
  return [family, TABLE, name].join(' ');
}

/** `key comment "..." : data`, as it stands in an element list. */
export function printElement({ key, data, comment }: Pick<Element, 'key' | 'data' | 'comment'>): string {
  const parts = [key];
  if (comment !== '') parts.push(' comment "', comment, '"');
  if (data !== '') parts.push(' : ', data);
  return parts.join('');
}

function unowned(line: string): Operation {
  return { line, owner: '' };
}
