// One document into the shape of its schema: first strictly, then leniently, with every complaint kept.
import type * as z from 'zod/mini';
import type { Problem } from './configuration-error.ts';

export interface Decoded<T> {
  /** The document without what could not be used. */
  readonly value: T;
  /** Fields that are unknown: they are passed over. */
  readonly unknown: readonly Problem[];
  /** Fields whose type is wrong. */
  readonly wrong: readonly Problem[];
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** As often as this a document is looked at again without what was wrong with it: unions hide what lies behind. */
const MAX_ROUNDS = 50;

/** Decodes a document of a known kind. What is wrong is left out, so that all the rest can be looked at too. */
export function decode<T extends z.ZodMiniType>(schema: T, document: object, kind: string): Decoded<z.infer<T>> {
  const rest: unknown = structuredClone(document);
  const unknown: Problem[] = [];
  const wrong: Problem[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const parsed = schema.safeParse(rest);
    if (parsed.success) return { value: parsed.data, unknown, wrong };
    for (const issue of parsed.error.issues) repair(issue, rest, { kind, unknown, wrong });
  }
  throw new Error(`Cannot decode ${kind}: it is wrong in too many places`);
}

interface Gathered {
  readonly kind: string;
  readonly unknown: Problem[];
  readonly wrong: Problem[];
}

function repair(issue: Issue, root: unknown, { kind, unknown, wrong }: Gathered): void {
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      unknown.push({ path: pathText(kind, [...issue.path, key]), reason: 'is no field that is known here' });
      remove(root, [...issue.path, key]);
    }
    return;
  }
  const value = valueAt(root, issue.path);
  if (value === undefined && !isThere(root, issue.path)) {
    wrong.push({ path: pathText(kind, issue.path), reason: 'is missing' });
    remove(root, issue.path.slice(0, -1));
    return;
  }
  const word = wordFor(issue, value);
  if (word !== undefined) {
    replace(root, issue.path, word);
    return;
  }
  wrong.push({ path: pathText(kind, issue.path), reason: `${shown(value)} ${complaintOf(issue)}` });
  remove(root, issue.path);
}

/** YAML 1.1 takes a bare `no` or `off` for false, and a name of digits is a number to every YAML. */
function wordFor(issue: Issue, value: unknown): string | undefined {
  if (issue.code === 'invalid_value' && value === false) {
    return ['no', 'off'].find((word) => issue.values.includes(word));
  }
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  return issue.code === 'invalid_type' && issue.expected === 'string' && scalar ? String(value) : undefined;
}

function complaintOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `is not ${TYPE_WORDS[issue.expected] ?? `of type ${issue.expected}`}`;
    case 'invalid_value':
      return `is none of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return issue.message === '' || issue.message === 'Invalid input'
        ? `is less than ${issue.minimum}`
        : issue.message;
    case 'too_big':
      return `is more than ${issue.maximum}`;
    case 'custom':
      return issue.message;
    default:
      return 'is not of a type that is taken here';
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** `Kind.field.list[0]`. */
export function pathText(kind: string, path: Path): string {
  return path.reduce<string>((text, key) => text + (typeof key === 'number' ? `[${key}]` : `.${String(key)}`), kind);
}

/** A value as it is quoted in complaints. */
export function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], root);
}

function isThere(root: unknown, path: Path): boolean {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  return last === undefined || (typeof parent === 'object' && parent !== null && last in parent);
}

function replace(root: unknown, path: Path, value: unknown): void {
  const parent = valueAt(root, path.slice(0, -1)) as Record<PropertyKey, unknown>;
  parent[path.at(-1) ?? ''] = value;
}

/** Entries of lists go with their list: the positions of the others must stay what they are. */
function remove(root: unknown, path: Path): void {
  const cut = path.findIndex((key) => typeof key === 'number');
  const whole = cut < 0 ? path : path.slice(0, cut);
  const parent = valueAt(root, whole.slice(0, -1)) as Record<PropertyKey, unknown> | undefined;
  if (parent !== undefined) delete parent[whole.at(-1) ?? ''];
}
