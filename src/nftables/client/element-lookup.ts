// Reads single elements of the kernel.

import type { Family } from '../../net/family.ts';
import { parseErrorMessages } from '../syntax/error-message.ts';
import { parseDebugListing } from '../syntax/listed/debug-listing.ts';
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

/** The existing elements with these keys, by set or map. */
export async function lookUpElements(
  program: NftProgram,
  family: Family,
  queries: readonly ElementQuery[],
): Promise<Map<string, ListedElement[]>> {
  const found = new Map<string, ListedElement[]>();
  const single = queries.filter(({ isInterval, keys }) => !isInterval && keys.length <= MAX_KEYS);
  for (const query of queries) {
    if (!single.includes(query)) found.set(query.name, await listElements(program, family, query));
  }
  const read = (await getElements(program, family, single)) ?? (await checkElements(program, family, single));
  for (const [name, elements] of read) found.set(name, elements);
  return found;
}

/**
 * Gets the elements one by one, 0.1 ms each. With `list tables` and `-t`, nft does not load the elements of all sets before
 * (1.4 s for 100,000), but then it prints none, except as debugging output. A session continues after a missing element.
 * `undefined` if this nft does not print what is expected.
 */
async function getElements(
  program: NftProgram,
  family: Family,
  queries: readonly ElementQuery[],
): Promise<Map<string, ListedElement[]> | undefined> {
  const requests = queries.flatMap(({ kind, name, keys }) =>
    keys.map((key) => ({ name, key, hasData: kind === 'map' })),
  );
  if (requests.length === 0) return new Map();
  const commands = requests.map(({ name, key }) => `list tables; get element ${family} ${TABLE} ${name} { ${key} }\n`);
  // Without HOME, nft writes no command history to a file.
  const { HOME: _, ...env } = process.env;
  const result = await program.run(['-t', '--debug=netlink', '-i'], { input: commands.join(''), env });
  const lines = result.stdout.split('\n');
  const hasFailed = parseErrorMessages(result.stderr).some(({ message }) => !ABSENT.test(message));
  const answers = result.status === 0 && !hasFailed ? parseDebugListing(lines, requests) : undefined;
  if (answers === undefined) return undefined;
  const found = new Map(queries.map(({ name }): [string, ListedElement[]] => [name, []]));
  for (const [index, { name, key }] of requests.entries()) {
    const answer = answers[index];
    if (answer !== undefined && answer !== 'absent') found.get(name)?.push({ ...withoutData(key), ...answer });
  }
  return found;
}

/**
 * The same in seconds: the kernel checks, without a commit, which elements could be deleted (10 µs each), and only if some
 * could be, and have a value, they are read, all by one process.
 */
async function checkElements(
  program: NftProgram,
  family: Family,
  queries: readonly ElementQuery[],
): Promise<Map<string, ListedElement[]>> {
  const found = new Map<string, ListedElement[]>();
  const reads: string[] = [];
  for (const query of queries) {
    const { kind, name, keys } = query;
    const existing = await existingKeys(program, `${family} ${TABLE} ${name}`, keys);
    if (existing === undefined) found.set(name, await listElements(program, family, query));
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

/** All elements of a set or map. */
async function listElements(
  program: NftProgram,
  family: Family,
  { kind, name }: Pick<ElementQuery, 'kind' | 'name'>,
): Promise<ListedElement[]> {
  const reader = new ElementReader();
  const elements: ListedElement[] = [];
  await program.script([`list ${kind} ${family} ${TABLE} ${name}`], (line) => void elements.push(...reader.read(line)));
  return elements;
}
