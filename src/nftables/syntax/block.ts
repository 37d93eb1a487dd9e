// Prints sets, maps and chains as blocks of an nft file, with one element or rule per line.

import type { Family } from '../../net/family.ts';
import type { Element, SetOrMap } from './element.ts';
import { printElement } from './operation.ts';
import { type Chain, printHook, printRule } from './statement.ts';

/** A table with these blocks. */
export function tableBlock(name: string, blocks: readonly string[]): string {
  return `table ${name} {\n${blocks.map(indent).join('\n\n')}\n}\n`;
}

/** A set or map with its elements. */
export function setOrMapBlock(
  object: SetOrMap,
  elements: readonly Pick<Element, 'key' | 'data' | 'comment'>[],
): string {
  const properties = object.body.split(';').map((part) => part.trim());
  const elementLines =
    elements.length === 0 ? [] : ['elements = {', ...elements.map((element) => `\t${printElement(element)},`), '}'];
  return namedBlock(`${object.kind} ${object.name}`, [...properties.filter((part) => part !== ''), ...elementLines]);
}

/** A chain with its hook and rules. */
export function chainBlock(chain: Chain, family: Family): string {
  const hook = chain.hook === undefined ? [] : [printHook(chain.hook)];
  return namedBlock(`chain ${chain.name}`, [...hook, ...chain.rules.map((rule) => printRule(rule, family))]);
}

/** A block with these lines. */
export function namedBlock(head: string, lines: readonly string[]): string {
  return [`${head} {`, ...lines.map(indent), '}'].join('\n');
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '\t');
}
