// One document into the shape of its schema: first strictly, then leniently, with every complaint kept.
import type * as z from 'zod/mini';
import type { ConfigurationProblem } from './configuration-error.ts';

export interface DecodeResult<T> {
  /** The document without what could not be used. */
  readonly value: T;
  /** Fields that are unknown: they are passed over. */
  readonly unknown: readonly ConfigurationProblem[];
  /** Fields whose type is wrong. */
  readonly invalid: readonly ConfigurationProblem[];
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** As often as this a document is looked at again without what was wrong with it: unions hide what lies behind. */
const MAX_PASSES = 50;

/** Decodes a document of a known kind. What is wrong is left out, so that all the rest can be looked at too. */
export function decode<T extends z.ZodMiniType>(schema: T, document: object, kind: string): DecodeResult<z.infer<T>> {
  const remaining: unknown = structuredClone(document);
  const unknown: ConfigurationProblem[] = [];
  const wrong: ConfigurationProblem[] = [];
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const parsed = schema.safeParse(remaining);
    if (parsed.success) return { value: parsed.data, unknown, invalid: wrong };
    for (const issue of parsed.error.issues) fixIssue(issue, remaining, { kind, unknown, invalid: wrong });
  }
  throw new Error(`Cannot decode ${kind}: it is wrong in too many places`);
}

interface DecodeProblems {
  readonly kind: string;
  readonly unknown: ConfigurationProblem[];
  readonly invalid: ConfigurationProblem[];
}

function fixIssue(issue: Issue, root: unknown, { kind, unknown, invalid }: DecodeProblems): void {
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      unknown.push({ path: formatPath(kind, [...issue.path, key]), reason: 'is no field that is known here' });
      removeAt(root, [...issue.path, key]);
    }
    return;
  }
  const value = valueAt(root, issue.path);
  if (value === undefined && !hasPath(root, issue.path)) {
    invalid.push({ path: formatPath(kind, issue.path), reason: 'is missing' });
    removeAt(root, issue.path.slice(0, -1));
    return;
  }
  const coerced = coerceToString(issue, value);
  if (coerced !== undefined) {
    setAt(root, issue.path, coerced);
    return;
  }
  invalid.push({ path: formatPath(kind, issue.path), reason: `${formatValue(value)} ${describeIssue(issue)}` });
  removeAt(root, issue.path);
}

/** YAML 1.1 takes a bare `no` or `off` for false, and a name of digits is a number to every YAML. */
function coerceToString(issue: Issue, value: unknown): string | undefined {
  if (issue.code === 'invalid_value' && value === false) {
    return ['no', 'off'].find((word) => issue.values.includes(word));
  }
  const scalar = typeof value === 'number' || typeof value === 'boolean';
  return issue.code === 'invalid_type' && issue.expected === 'string' && scalar ? String(value) : undefined;
}

function describeIssue(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `is not ${TYPE_NAMES[issue.expected] ?? `of type ${issue.expected}`}`;
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

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** `Kind.field.list[0]`. */
export function formatPath(kind: string, path: Path): string {
  return path.reduce<string>((text, key) => text + (typeof key === 'number' ? `[${key}]` : `.${String(key)}`), kind);
}

/** A value as it is quoted in complaints. */
export function formatValue(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], root);
}

function hasPath(root: unknown, path: Path): boolean {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  return last === undefined || (typeof parent === 'object' && parent !== null && last in parent);
}

function setAt(root: unknown, path: Path, value: unknown): void {
  const parent = valueAt(root, path.slice(0, -1)) as Record<PropertyKey, unknown>;
  parent[path.at(-1) ?? ''] = value;
}

/** Entries of lists go with their list: the positions of the others must stay what they are. */
function removeAt(root: unknown, path: Path): void {
  const listIndex = path.findIndex((key) => typeof key === 'number');
  const target = listIndex < 0 ? path : path.slice(0, listIndex);
  const parent = valueAt(root, target.slice(0, -1)) as Record<PropertyKey, unknown> | undefined;
  if (parent !== undefined) delete parent[target.at(-1) ?? ''];
}
