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

/** DNS labels, as names of namespaces, Services and their ports are: chains have all three in their names. */
const LABEL_MAX = 63;

/** Whether the name is no longer than Kubernetes allows for a namespace, a Service, or a port. */
export function isShortName(name: string): boolean {
  return name.length <= LABEL_MAX && isName(name);
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
export function readKey(metadata: Fields, { namespaced, short = false }: Naming): string {
  const name = text(metadata['name']);
  if (!isNameOf(name, { short })) return '';
  if (!namespaced) return name;
  const namespace = text(metadata['namespace']) || 'default';
  return isShortName(namespace) ? `${namespace}/${name}` : '';
}

/** How objects of a kind are named; `short` is a name that has to be a label. */
interface Naming {
  readonly namespaced: boolean;
  readonly short?: boolean;
}

function isNameOf(name: string, { short }: { short: boolean }): boolean {
  return short ? isShortName(name) : isName(name);
}

/** The read of an object that has no usable name: it cannot even be referred to. */
export function readNameless<T>(kind: string, metadata: Fields, { short = false } = {}): Read<T> {
  const findings = new Findings(kind, '');
  const field = isNameOf(text(metadata['name']), { short }) ? 'namespace' : 'name';
  findings.add(`metadata.${field}`, metadata[field], 'is not a valid object name', 'the object is left out');
  return { key: '', findings: findings.all };
}
