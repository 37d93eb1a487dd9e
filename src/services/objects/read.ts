// Reading objects that came from outside: unknown in, typed out, with a issue for every field that is unusable.
import type { ValidationIssue } from './validation-issue.ts';

/** What reading one object gave. Without `value` the object is not used: `skipped` says why when that is as it should be. */
export interface ReadResult<T> {
  /** `namespace/name`, or the bare name of a cluster-scoped object; empty when the object has no usable name. */
  readonly key: string;
  readonly value?: T;
  readonly skipped?: string;
  readonly issues: readonly ValidationIssue[];
}

/** Any JSON object. */
export type JsonObject = { readonly [field: string]: unknown };

/** The value as an object; an empty one when it is something else. */
export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

/** The value as a list; an empty one when it is something else. */
export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a string; empty when it is something else. */
export function asString(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Names end up in comments of the ruleset and in file names: letters, digits, `-` and `.` only (DNS-1123 subdomain). */
const OBJECT_NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Whether Kubernetes would take this as the name of an object. */
export function isObjectName(name: string): boolean {
  return OBJECT_NAME.test(name);
}

/** DNS labels, as names of namespaces, Services and their ports are: chains have all three in their names. */
const SHORT_NAME_MAX = 63;

/** Whether the name is no longer than Kubernetes allows for a namespace, a Service, or a port. */
export function isShortName(name: string): boolean {
  return name.length <= SHORT_NAME_MAX && isObjectName(name);
}

/** A {@link ValidationIssue} before its object is named and its value printed. */
interface Issue extends Omit<ValidationIssue, 'object' | 'value'> {
  readonly value: unknown;
}

/** Gathers the issues of one object. */
export class IssueCollector {
  readonly #object: string;
  readonly all: ValidationIssue[] = [];

  constructor(kind: string, key: string) {
    this.#object = `${kind} ${key === '' ? '(without a name)' : key}`;
  }

  add({ field, value, reason, effect }: Issue): void {
    this.all.push({ object: this.#object, field, value: formatValue(value), reason, effect });
  }
}

function formatValue(value: unknown): string {
  const json = value === undefined ? '(absent)' : JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/**
 * The name of an object as `namespace/name`, or as `name` where kinds live outside namespaces.
 * An absent namespace is `default`, as kubectl has it.
 */
export function readKey(metadata: JsonObject, { namespaced, short = false }: NameRules): string {
  const name = asString(metadata['name']);
  if (!isValidName(name, { short })) return '';
  if (!namespaced) return name;
  const namespace = asString(metadata['namespace']) || 'default';
  return isShortName(namespace) ? `${namespace}/${name}` : '';
}

/** How objects of a kind are named; `short` is a name that has to be a label. */
interface NameRules {
  readonly namespaced: boolean;
  readonly short?: boolean;
}

function isValidName(name: string, { short }: { short: boolean }): boolean {
  return short ? isShortName(name) : isObjectName(name);
}

/** The read of an object that has no usable name: it cannot even be referred to. */
export function readUnnamed<T>(kind: string, metadata: JsonObject, { short = false } = {}): ReadResult<T> {
  const issues = new IssueCollector(kind, '');
  const field = isValidName(asString(metadata['name']), { short }) ? 'namespace' : 'name';
  issues.add({
    field: `metadata.${field}`,
    value: metadata[field],
    reason: 'is not a valid object name',
    effect: 'the object is left out',
  });
  return { key: '', issues: issues.all };
}
