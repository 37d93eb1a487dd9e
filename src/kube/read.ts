// Reading objects that came from outside: unknown in, typed out, with a finding for every field that is unusable.
import type { Finding } from './finding.ts';

/** What reading one object gave. Without `value` the object is not used: `skipped` says why when that is as it should be. */
export interface Read<T> {
  /** `namespace/name`, or the bare name of a cluster-scoped object; empty when the object has no usable name. */
  readonly key: string;
  readonly value?: T;
  readonly skipped?: string;
  readonly findings: readonly Finding[];
}

/** Any JSON object. */
export type Fields = { readonly [field: string]: unknown };

/** The value as an object; an empty one when it is something else. */
export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The value as a list; an empty one when it is something else. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as a string; empty when it is something else. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Names end up in comments of the ruleset and in file names: letters, digits, `-` and `.` only (DNS-1123 subdomain). */
const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Whether Kubernetes would take this as the name of an object. */
export function isName(name: string): boolean {
  return NAME.test(name);
}

/** Gathers the findings of one object. */
export class Findings {
  readonly #object: string;
  readonly all: Finding[] = [];

  constructor(kind: string, key: string) {
    this.#object = `${kind} ${key === '' ? '(without a name)' : key}`;
  }

  add(field: string, value: unknown, reason: string, effect: string): void {
    this.all.push({ object: this.#object, field, value: shown(value), reason, effect });
  }
}

function shown(value: unknown): string {
  const json = value === undefined ? '(absent)' : JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}

/**
 * The name of an object as `namespace/name`, or as `name` where kinds live outside namespaces.
 * An absent namespace is `default`, as kubectl has it.
 */
export function readKey(metadata: Fields, { namespaced }: { namespaced: boolean }): string {
  const name = text(metadata['name']);
  if (!isName(name)) return '';
  if (!namespaced) return name;
  const namespace = text(metadata['namespace']) || 'default';
  return isName(namespace) ? `${namespace}/${name}` : '';
}

/** The read of an object that has no usable name: it cannot even be referred to. */
export function readNameless<T>(kind: string, metadata: Fields): Read<T> {
  const findings = new Findings(kind, '');
  const field = isName(text(metadata['name'])) ? 'namespace' : 'name';
  findings.add(`metadata.${field}`, metadata[field], 'is not a valid object name', 'the object is left out');
  return { key: '', findings: findings.all };
}
