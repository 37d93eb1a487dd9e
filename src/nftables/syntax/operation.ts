// Operations on our tables, one per line, so that the line number of an nft error identifies the operation.

import type { Family } from '../../net/family.ts';
import type { Element, SetOrMap } from './element.ts';
import type { ObjectRef } from './object-ref.ts';
import { type Chain, printHook, printRule } from './statement.ts';

/** The name of our tables, one per family. We write to no other table. */
export const TABLE = 'nftlane';

/** One line for `nft -f`. */
export interface Operation {
  readonly line: string;
  /** The Service that it belongs to; empty for an operation on shared objects. */
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

export function flushSetOrMap({ family, kind, name }: Pick<SetOrMap, 'family' | 'kind' | 'name'>): Operation {
  return unowned(`flush ${kind} ${family} ${TABLE} ${name}`);
}

/** Adds the chain if it is missing, and replaces its rules. In one transaction, so no packet sees it without rules. */
export function writeChain(family: Family, chain: Chain): Operation[] {
  const path = `${family} ${TABLE} ${chain.name}`;
  const hook = chain.hook === undefined ? '' : ` { ${printHook(chain.hook)} }`;
  return [
    unowned(`add chain ${path}${hook}`),
    unowned(`flush chain ${path}`),
    ...chain.rules.map((rule) => unowned(`add rule ${path} ${printRule(rule, family)}`)),
  ];
}

/** Deletes the rules of a chain. */
export function flushChain(family: Family, name: string): Operation {
  return unowned(`flush chain ${family} ${TABLE} ${name}`);
}

/** Deletes an object of any kind: a set, a map, a flow table, a counter. */
export function deleteObject({ family, kind, name }: ObjectRef & { readonly kind: string }): Operation {
  return unowned(`delete ${kind} ${family} ${TABLE} ${name}`);
}

export function deleteChain(family: Family, name: string): Operation {
  return unowned(`delete chain ${family} ${TABLE} ${name}`);
}

export function addElement(element: Element): Operation {
  return { line: `add element ${setOrMapPath(element.object)} { ${printElement(element)} }`, owner: element.owner };
}

/** Deletes the element with this key. */
export function deleteElement(object: SetOrMap, key: string, owner: string): Operation {
  return { line: `delete element ${setOrMapPath(object)} { ${key} }`, owner };
}

/**
 * Prints many operations, one per line. Consecutive additions to, or deletions from, one set or map become one command
 * that spans their lines: nft reads that a seventh faster, and its errors still name the line of the refused element.
 * `join` is deliberate: a sum of strings would keep all its parts until it is written.
 */
export class OperationLines {
  readonly #lines: string[] = [];
  /** The element command that is still open. */
  #current: { readonly object: SetOrMap; readonly verb: 'add' | 'delete' } | undefined;

  /** Appends an operation that is not on an element. */
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

  /** Closes the last command and returns the lines. */
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

/** `key comment "..." : data`, as in an element list. */
export function printElement({ key, data, comment }: Pick<Element, 'key' | 'data' | 'comment'>): string {
  const parts = [key];
  if (comment !== '') parts.push(' comment "', comment, '"');
  if (data !== '') parts.push(' : ', data);
  return parts.join('');
}

function unowned(line: string): Operation {
  return { line, owner: '' };
}
