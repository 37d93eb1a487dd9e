// Reads single elements of the kernel.

import type { Family } from '../../net/family.ts';
import { ElementReader, type ListedElement } from '../syntax/listing.ts';
import { TABLE } from '../syntax/operation.ts';
import type { NftProgram } from './nft-program.ts';

/** A set or map in our table, with the keys to look up. */
export interface ElementQuery {
  readonly kind: 'set' | 'map';
  readonly name: string;
  /** Its keys can be prefixes and ranges. Those are listed completely, because their keys are not known. */
  readonly isInterval: boolean;
  readonly keys: readonly string[];
}

/** More keys of a map than this are not looked up one by one: the map is listed. */
const MAX_KEYS = 5000;
/** Each missing key is an error message of the kernel, and too many would not fit into the buffer of the socket. */
const KEYS_PER_CHECK = 500;

/**
 * The existing elements with these keys, by set or map. `nft get element` loads the elements of all sets (1.4 s for 100,000),
 * and fails for a missing one. So the kernel first checks, without a commit, which elements could be deleted (10 µs each);
 * only if some could be, and have a value, they are read, all by one process.
 */
export async function lookUpElements(
  program: NftProgram,
  family: Family,
  queries: readonly ElementQuery[],
): Promise<Map<string, ListedElement[]>> {
  const found = new Map<string, ListedElement[]>();
  const reads: string[] = [];
  for (const { kind, name, isInterval, keys } of queries) {
    if (isInterval || keys.length > MAX_KEYS) {
      found.set(name, await readElements(program, `list ${kind} ${family} ${TABLE} ${name}`));
      continue;
    }
    const existing = await existingKeys(program, `${family} ${TABLE} ${name}`, keys);
    if (existing === undefined) found.set(name, await readElements(program, `list ${kind} ${family} ${TABLE} ${name}`));
    else if (kind === 'set') found.set(name, existing.map(withoutData));
    else if (existing.length > 0) reads.push(`get element ${family} ${TABLE} ${name} { ${existing.join(', ')} }`);
  }
  for (const [name, elements] of await readMaps(program, reads)) found.set(name, elements);
  return found;
}

function withoutData(key: string): ListedElement {
  return { key, data: '', comment: '', packets: 0 };
}

/** `undefined` if the kernel refuses to answer: it allows no other process to change a table that has an owner, not even in a check. */
async function existingKeys(program: NftProgram, path: string, keys: readonly string[]): Promise<string[] | undefined> {
  const existing: string[] = [];
  for (let from = 0; from < keys.length; from += KEYS_PER_CHECK) {
    const part = keys.slice(from, from + KEYS_PER_CHECK);
    const errors = await program.check(part.map((key) => `delete element ${path} { ${key} }\n`).join(''));
    const missing = new Set(errors.map(({ line, message }) => (ABSENT.test(message) ? line : 0)));
    if (missing.has(0)) return undefined;
    existing.push(...part.filter((_, index) => !missing.has(index + 1)));
  }
  return existing;
}

const ABSENT = /No such file or directory/;

/** The elements of all maps of a script with `get element`. */
async function readMaps(program: NftProgram, commands: readonly string[]): Promise<Map<string, ListedElement[]>> {
  const found = new Map<string, ListedElement[]>();
  if (commands.length === 0) return found;
  const reader = new ElementReader();
  let elements: ListedElement[] = [];
  await program.script(commands, (line) => {
    const [, name] = /^\tmap (\S+) \{/.exec(line) ?? [];
    if (name !== undefined) {
      elements = found.get(name) ?? [];
      found.set(name, elements);
    }
    elements.push(...reader.read(line));
  });
  return found;
}

async function readElements(program: NftProgram, command: string): Promise<ListedElement[]> {
  const reader = new ElementReader();
  const elements: ListedElement[] = [];
  await program.script([command], (line) => void elements.push(...reader.read(line)));
  return elements;
}
