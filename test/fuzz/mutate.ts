// Mutations of texts and of JSON values.

import type { Random } from '../support/random.ts';

/** Fragments that have a meaning for nft, YAML, JSON, HTTP, a terminal or a number parser. */
const FRAGMENTS: readonly [string, ...string[]] = [
  '"',
  '\\',
  "'",
  '`',
  '{',
  '}',
  '[',
  ']',
  ';',
  ':',
  ',',
  ' . ',
  '\n',
  '\r\n',
  '\r',
  '\t',
  '\0',
  '\u001b[31m',
  '\u202e',
  '\u2028',
  '\uFEFF',
  '\ud800',
  'é',
  '😀',
  '#',
  '$',
  '%s',
  '../',
  '//',
  '<<: *a',
  '&a ',
  '*a',
  '!!js ',
  '---\n',
  'null',
  'true',
  '-1',
  '0',
  '65535',
  '65536',
  '4294967296',
  '9007199254740993',
  '1e309',
  'NaN',
  '0x10',
  '127.0.0.1',
  '0.0.0.0',
  '255.255.255.255',
  '10.96.0.0/12',
  '0.0.0.0/0',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  'fe80::1%eth0',
  'ff02::1',
  '__proto__',
  'constructor',
  'toString',
  'goto ',
  'drop',
  'elements = {',
  'comment "',
  'counter packets 1 bytes 1',
];

/** One to four random edits. */
export function mutateText(input: string, random: Random): string {
  let text = input;
  for (let edits = random.integer(1, 4); edits > 0; edits--) text = editText(text, random);
  return text;
}

function editText(text: string, random: Random): string {
  const from = random.integer(0, text.length);
  const to = Math.min(text.length, from + random.integer(0, random.next() < 0.8 ? 6 : text.length));
  const [head, middle, tail] = [text.slice(0, from), text.slice(from, to), text.slice(to)];
  switch (random.integer(0, 6)) {
    case 0:
      return head + tail;
    case 1:
      return head + middle + middle + tail;
    case 2:
      return head + middle.repeat(random.integer(2, 40)).slice(0, 20_000) + tail;
    case 3:
      return head;
    case 4:
      return head + String.fromCharCode(random.integer(0, random.next() < 0.8 ? 127 : 65_535)) + tail;
    default:
      return head + random.pick(FRAGMENTS) + (random.next() < 0.5 ? middle : '') + tail;
  }
}

/** Changes one to four random places of a JSON text, and keeps it JSON most of the time. */
export function mutateJson(input: string, random: Random): string {
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {
    return mutateText(input, random);
  }
  if (random.next() < 0.05) return mutateText(input, random);
  for (let edits = random.integer(1, 4); edits > 0; edits--) value = editValue(value, random, 0);
  return JSON.stringify(value) ?? 'null';
}

const MAX_DEPTH = 12;

function editValue(value: unknown, random: Random, depth: number): unknown {
  const isLeaf = typeof value !== 'object' || value === null || depth > MAX_DEPTH;
  if (isLeaf || random.next() < 0.08) return replacement(value, random);
  return Array.isArray(value) ? editArray(value, random, depth) : editObject({ ...value }, random, depth);
}

function editArray(items: readonly unknown[], random: Random, depth: number): unknown[] {
  const index = random.integer(0, items.length);
  const item = items[index];
  if (index === items.length) return [...items, ...items].slice(0, 50);
  if (random.next() < 0.15) return items.toSpliced(index, 1);
  return items.with(index, editValue(item, random, depth + 1));
}

function editObject(object: Record<string, unknown>, random: Random, depth: number): Record<string, unknown> {
  const keys = Object.keys(object);
  const key = random.pick(keys);
  if (key === undefined || random.next() < 0.05)
    return { ...object, [random.pick(FRAGMENTS)]: replacement(key, random) };
  if (random.next() < 0.15) {
    const { [key]: _, ...rest } = object;
    return rest;
  }
  return { ...object, [key]: editValue(object[key], random, depth + 1) };
}

function replacement(value: unknown, random: Random): unknown {
  const choices: readonly unknown[] = [
    null,
    true,
    '',
    [],
    {},
    [value],
    { value },
    JSON.stringify(value) ?? '',
    random.integer(-1, 70_000),
    random.next() * 1e10,
    random.pick(FRAGMENTS),
    typeof value === 'string' ? mutateText(value, random) : random.pick(FRAGMENTS),
    typeof value === 'string' ? mutateText(value, random) : value,
  ];
  return random.pick(choices);
}
