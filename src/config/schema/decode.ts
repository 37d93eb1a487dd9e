// Decodes a configuration document by its schema and collects all problems.

import type * as z from 'zod/mini';
import type { ConfigurationProblem } from './configuration-error.ts';

interface DecodeResult<T> {
  /** The document without its unknown and invalid fields. */
  readonly value: T;
  /** Unknown fields, which are ignored. */
  readonly unknown: readonly ConfigurationProblem[];
  /** Fields with an invalid value. */
  readonly invalid: readonly ConfigurationProblem[];
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Limit of the attempts to decode a document, each without the problems found so far: a failed union hides those inside it. */
const MAX_PASSES = 50;

/** Decodes a document of a known kind. Removes each problem and continues, to find all of them. */
export function decode<T extends z.ZodMiniType>(schema: T, document: object, kind: string): DecodeResult<z.infer<T>> {
  const remaining: unknown = structuredClone(document);
  const unknown: ConfigurationProblem[] = [];
  const invalid: ConfigurationProblem[] = [];
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const parsed = schema.safeParse(remaining);
    if (parsed.success) return { value: parsed.data, unknown, invalid };
    for (const issue of parsed.error.issues) fixIssue(issue, remaining, { kind, unknown, invalid });
  }
  throw new Error(`Cannot decode ${kind}: too many problems`);
}

interface DecodeProblems {
  readonly kind: string;
  readonly unknown: ConfigurationProblem[];
  readonly invalid: ConfigurationProblem[];
}

function fixIssue(issue: Issue, root: unknown, { kind, unknown, invalid }: DecodeProblems): void {
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      unknown.push({ path: formatPath(kind, [...issue.path, key]), reason: 'unknown field' });
      removeAt(root, [...issue.path, key]);
    }
    return;
  }
  const value = valueAt(root, issue.path);
  if (value === undefined && !hasPath(root, issue.path)) {
    invalid.push({ path: formatPath(kind, issue.path), reason: 'required field is missing' });
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

/** YAML 1.1 parses a bare `no` or `off` as false, and every YAML version parses a name of digits as a number. */
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
      return `is not one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return issue.message === '' || issue.message === 'Invalid input'
        ? `is less than ${issue.minimum}`
        : issue.message;
    case 'too_big':
      return `is greater than ${issue.maximum}`;
    case 'custom':
      return issue.message;
    default:
      return 'has an invalid type';
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'a Boolean',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** `Kind.field.list[0]`. */
export function formatPath(kind: string, path: Path): string {
  return path.reduce<string>((text, key) => text + (typeof key === 'number' ? `[${key}]` : `.${String(key)}`), kind);
}

/** A value as error messages quote it, cut to 60 characters. */
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

/** Removes a field; for a list entry the whole list, because the positions of the other entries must not change. */
function removeAt(root: unknown, path: Path): void {
  const listIndex = path.findIndex((key) => typeof key === 'number');
  const target = listIndex < 0 ? path : path.slice(0, listIndex);
  const parent = valueAt(root, target.slice(0, -1)) as Record<PropertyKey, unknown> | undefined;
  if (parent !== undefined) delete parent[target.at(-1) ?? ''];
}
